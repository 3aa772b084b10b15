# sched: study scheduling policies in virtual time
#
#     ./twofold sched --list
#     ./twofold sched --workload NAME|FILE [--policy NAME] [--seconds S] [--json]
#     ./twofold sched --workload NAME|FILE --compare NAME,... [--trace FILE] [--plot FILE]
#     ./twofold sched --workload NAME|FILE --machine host|sim|metal|live|live-sim [...]
#
#   --trace    for https://ui.perfetto.dev
#   --plot     timelines and latencies as SVG
#   --machine  inside of a kernel, whose schedule must be the one that this process makes; live,
#              live-sim: by the threads of a hosted or a simulated one
#
# A workload is a generated one, an rt-app file, or a schedule that Linux recorded. The kernel's own policies
# and dispatcher run, over simulated processors (docs/laboratory.md). `./twofold sched --help` lists the rest.

passes_help=yes

# sched_targets ARGUMENTS...: what must be built for these options; kernels only if they are asked for.
sched_targets() {
    local argument previous=''
    printf 'twofold-sched\n'
    for argument in "$@"; do
        case $previous,$argument in
            --machine,host | -m,host | *,--machine=host | *,-mhost) printf 'twofold-sched-host\n' ;;
            --machine,sim | -m,sim | *,--machine=sim | *,-msim) printf 'twofold-sched-sim\n' ;;
            --machine,live-sim | -m,live-sim | *,--machine=live-sim | *,-mlive-sim) printf 'twofold-sched-sim\n' ;;
            --machine,live | -m,live | *,--machine=live | *,-mlive) printf 'twofold-sched-host\n' ;;
            --machine,metal | -m,metal | *,--machine=metal | *,-mmetal) printf 'twofold-boot\nimage_sched\n' ;;
        esac
        previous=$argument
    done
}

verb_sched() {
    local -a targets
    ensure_packages core
    mapfile -t targets < <(sched_targets "$@")
    build release "${targets[@]}"
    exec "$root/build/release/apps/sched/twofold-sched" "$@"
}
