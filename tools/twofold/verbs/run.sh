# run: build and start the kernel as a Linux process
#
#     ./twofold run [--sim] [--preset NAME] [OPTIONS]
#
# --sim: on a simulated machine, in virtual time; a seed (--seed N) is a whole run (docs/simulation.md).
# stdout carries only what the guest prints; the exit status is that of its last command. Commands can
# be piped in; end of input powers off. `./twofold run --help` lists the options of the machine.

passes_help=yes

verb_run() {
    local preset
    local -a arguments
    take_preset run release "$@"
    ensure_packages core
    local program=twofold-host
    local -a rest=()
    local argument
    for argument in "${arguments[@]}"; do
        if [[ $argument == --sim ]]; then program=twofold-sim; else rest+=("$argument"); fi
    done
    build "$preset" "$program"
    exec "$root/build/$preset/apps/host/$program" "${rest[@]}"
}
