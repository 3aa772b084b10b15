# run: build and start the kernel as a Linux process
#
#     ./twofold run [--sim] [--display none|png:FILE|sdl] [--preset NAME] [OPTIONS]
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
    local -a targets=()
    local argument previous=''
    for argument in "${arguments[@]}"; do
        if [[ $argument == --sim ]]; then program=twofold-sim; else rest+=("$argument"); fi
        # The window is built where SDL is there; the program says it where there is none.
        if [[ $previous,$argument == --display,sdl* || $argument == --display=sdl* ]]; then targets=(window); fi
        previous=$argument
    done
    build "$preset" "$program" "${targets[@]}"
    exec "$root/build/$preset/apps/host/$program" "${rest[@]}"
}
