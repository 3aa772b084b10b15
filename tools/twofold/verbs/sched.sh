# sched: study scheduling policies in virtual time
#
#     ./twofold sched --list
#     ./twofold sched --workload NAME|FILE [--policy NAME] [--seconds S] [--json]
#     ./twofold sched --workload NAME|FILE --compare NAME,... [--trace FILE] [--plot FILE]
#
#   --workload  a generated workload, an rt-app file, or a schedule that Linux recorded
#   --trace     for https://ui.perfetto.dev
#   --plot      timelines and latencies as SVG
#
# The kernel's own policies and dispatcher run, over simulated processors (docs/laboratory.md).
# `./twofold sched --help` lists the rest.

passes_help=yes

verb_sched() {
    ensure_packages core
    build release twofold-sched
    exec "$root/build/release/apps/sched/twofold-sched" "$@"
}
