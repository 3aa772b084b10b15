# boot: build the metal kernel and start it in QEMU
#
#     ./twofold boot [--preset NAME] [OPTIONS]
#
# stdout carries only what the guest prints; the exit status is that of its last command. Commands can
# be piped in; end of input powers off. `./twofold boot --help` lists the options of the machine.

passes_help=yes

# boot_targets ARGUMENTS...: what must be built for these options; the CD image and further images only if they
# are asked for.
boot_targets() {
    local argument previous=''
    printf 'twofold-boot\nimage_base\nimage_full\n'
    for argument in "$@"; do
        case $previous,$argument in
            *,--iso) printf 'image_full_iso\n' ;;
            --image,test | *,--image=test) printf 'image_test\n' ;;
            --image,sched | *,--image=sched) printf 'image_sched\n' ;;
        esac
        previous=$argument
    done
}

verb_boot() {
    local preset
    local -a arguments targets
    take_preset boot release "$@"
    ensure_packages core
    mapfile -t targets < <(boot_targets "${arguments[@]}")
    build "$preset" "${targets[@]}"
    exec "$root/build/$preset/apps/launch/twofold-boot" "${arguments[@]}"
}
