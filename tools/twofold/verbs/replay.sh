# replay: drive allocators with an allocation trace, and compare them
#
#     ./twofold replay TRACE [--allocator NAME,...] [--repeats N] [--threads] [--info] [--json]
#
#   --allocator  glibc, jemalloc, mimalloc, tcmalloc, twofold, or the path of a library
#   --threads    a thread for every recorded thread; one thread in recorded order otherwise
#   --info       describe the trace alone
#
# Every replay runs in a fresh process with the allocator preloaded; contents are verified.

passes_help=yes

verb_replay() {
    ensure_packages bench
    build release twofold-replay twofold-malloc
    exec "$root/build/release/apps/allocation/twofold-replay" "$@"
}
