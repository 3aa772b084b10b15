# gdb: start the kernel under gdb, with symbols and pretty-printers
#
#     ./twofold gdb [run|boot] [OPTIONS]
#
#   run   (default) the hosted kernel of the debug build; OPTIONS as for ./twofold run
#   boot  the metal kernel in QEMU, stopped before its first instruction; OPTIONS as for ./twofold boot.
#         Its input is empty: give it --command.

verb_gdb() {
    local what=run
    case ${1:-} in
        run | boot)
            what=$1
            shift
            ;;
        -* | '') ;;
        *) unknown_argument gdb "$1" run boot ;;
    esac
    ensure_packages core
    "gdb_$what" "$@"
}

gdb_run() {
    build debug twofold-host
    # The sanitizers' own look for leaks does not work under a debugger.
    ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}" exec gdb -q -x "$root/tools/gdb/printers.py" \
        -ex 'handle SIGSEGV SIGBUS nostop noprint pass' \
        --args "$root/build/debug/apps/host/twofold-host" "$@"
}

# Where the metal kernel lies unless its command line says otherwise (hal/x86_64/include/machine/layout.hpp).
readonly gdb_image_base=0xffffffff80000000

gdb_boot() {
    build release twofold-boot image_full
    local port=$((20000 + RANDOM % 20000)) machine
    "$root/build/release/apps/launch/twofold-boot" --gdb "$port" "$@" </dev/null &
    machine=$!
    # shellcheck disable=SC2064
    trap "kill $machine 2>/dev/null || true; wait $machine || true" EXIT
    gdb -q -x "$root/tools/gdb/printers.py" \
        -ex "symbol-file -o $gdb_image_base $root/build/release/images/twofold-full.debug.elf" \
        -ex "target remote 127.0.0.1:$port"
}
