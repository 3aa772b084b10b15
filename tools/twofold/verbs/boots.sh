# boots: boot many times in a row, with all processors each time
#
#     ./twofold boots [--machine host|metal|all] [--cpus N] [--count N]
#
# Boots each machine N times (200) with N processors (8); in each boot, calls go between each two of them,
# and all must run. The first boot that fails ends it, status 1: nothing is tried again, and its whole output
# is kept in build/release/boots/. Prints boots, failures and the times of a boot.

passes_help=yes

verb_boots() {
    case " $* " in
        *' --help '* | *' -h '*) ;;
        *)
            ensure_packages core
            build release twofold-host twofold-boot image_full
            ;;
    esac
    exec python3 "$root/tools/boots.py" "$root/build/release" "$@"
}
