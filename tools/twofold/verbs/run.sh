# run: build and start the kernel as a Linux process
#
#     ./twofold run [--preset NAME] [OPTIONS]
#
# stdout carries only what the guest prints; the exit status is that of its last command. Commands can
# be piped in; end of input powers off. `./twofold run --help` lists the options of the machine.

passes_help=yes

verb_run() {
    local preset
    local -a arguments
    take_preset run release "$@"
    ensure_packages core
    build "$preset" twofold-host
    exec "$root/build/$preset/apps/host/twofold-host" "${arguments[@]}"
}
