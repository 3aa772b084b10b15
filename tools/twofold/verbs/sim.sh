# sim: find bugs by seeds on a simulated machine, make them small, reproduce them for ever
#
#     ./twofold sim --list [--json]
#     ./twofold sim WORKLOAD --seeds A..B [--jobs N] [--time 10m] [OPTIONS] [--json FILE] [--html FILE]
#     ./twofold sim WORKLOAD --seed N [OPTIONS] [--record FILE | --until-event N [--gdb] | --trace FILE ...]
#     ./twofold sim --replay FILE [--until-event N [--gdb]]
#     ./twofold sim WORKLOAD --seeds A..B --shard I/N --state FILE; ./twofold sim merge STATE...
#     ./twofold sim bugs [NAME|NUMBER...] [--time 10m] [--json FILE]
#     ./twofold sim canary
#     ./twofold sim diff A B
#
# A failure is shrunk, and one command is printed that reproduces it. Status 1: there is one.
# `./twofold sim --help` lists the options, docs/campaigns.md tells how to read what is reported.

passes_help=yes

# sim_builds ARGUMENTS...: whether the simulator is needed, and not given by --simulator.
sim_builds() {
    local argument
    [[ ${1:-} != merge ]] || return 1
    for argument in "$@"; do
        case $argument in
            --help | -h | --simulator | --simulator=*) return 1 ;;
        esac
    done
}

verb_sim() {
    ensure_packages core
    if sim_builds "$@"; then build bugs twofold-simulator; fi
    export TWOFOLD_SIMULATOR=$root/build/bugs/sim/twofold-simulator
    exec python3 "$root/tools/sim/sim.py" "$@"
}
