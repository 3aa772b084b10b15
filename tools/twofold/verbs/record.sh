# record: write the allocation trace of a program
#
#     ./twofold record [-o FILE] [--children] -- PROGRAM ARGUMENTS
#
#   -o FILE     the trace; allocations.trace unless given
#   --children  record children too, each to a file of its own: FILE.PROCESS
#
# The program's streams and status are its own. What the file holds: docs/allocation-trace-format.md.

passes_help=yes

verb_record() {
    ensure_packages core
    build release twofold-record
    exec "$root/build/release/apps/allocation/twofold-record" "$@"
}
