# bench: measure, beside the peers and the goals
#
#     ./twofold bench [ROOM] [--json] [--full] [--against FILE]
#
#   ROOM            measure one room alone
#   --json          an array of {"name","unit","ours","peers","ratio","goal","better","met","note"}
#   --full          nine long repeats instead of three short ones
#   --against FILE  compare with an earlier --json result
#
# A ratio above 1 says how many times better than the best peer we are. Google Benchmark's own JSON is
# kept in build/bench/, for its compare.py.

passes_help=yes

# bench_ranks ARGUMENTS...: whether the ranks of bench/sim/fidelity.py are asked for, or all.
bench_ranks() {
    local argument previous='' room=''
    for argument in "$@"; do
        [[ $argument == -* || $previous == --against ]] || room=$argument
        previous=$argument
    done
    [[ -z $room || $room == sim || $room == sim/fidelity ]]
}

verb_bench() {
    ensure_packages bench
    build release all benches image_full_iso
    # Where computation takes time.
    if bench_ranks "$@"; then build bugs twofold-bench-host twofold-bench-sim; fi
    exec python3 "$root/tools/bench.py" "$root/build/release" "$@"
}
