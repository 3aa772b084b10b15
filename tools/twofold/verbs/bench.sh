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

verb_bench() {
    ensure_packages bench
    build release all benches
    exec python3 "$root/tools/bench.py" "$root/build/release" "$@"
}
