# twin: prove that the hosted, the simulated and the metal kernel are the same kernel
#
#     ./twofold twin [SCENARIO...] [--json]
#     ./twofold twin --mutate
#
# Runs every scenario on each machine and compares the SHA-256 digest of what each recorded; status 1 if one
# differs. --mutate flips one operation of a room at a time: a scenario that does not notice fails.

passes_help=yes

verb_twin() {
    ensure_packages core
    local preset=release
    case " $* " in
        *' --help '* | *' -h '*) ;;
        *' --mutate '*)
            preset=debug
            build debug twofold-host
            ;;
        *) build release twofold-host twofold-sim twofold-boot image_full ;;
    esac
    exec python3 "$root/tools/twin.py" "$root/build/$preset" "$@"
}
