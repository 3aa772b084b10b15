# boot: build the metal kernel and start it in QEMU
#
#     ./twofold boot [--preset NAME] [OPTIONS]
#
# stdout carries only what the guest prints; the exit status is that of its last command. Commands can
# be piped in; end of input powers off. `./twofold boot --help` lists the options of the machine.

passes_help=yes

verb_boot() {
    local preset
    local -a arguments
    take_preset boot release "$@"
    ensure_packages core
    build "$preset" twofold-boot images
    exec "$root/build/$preset/apps/launch/twofold-boot" "${arguments[@]}"
}
