# gdb: start the kernel under gdb, with symbols and pretty-printers
#
#     ./twofold gdb [run|boot] [OPTIONS]
#
#   run   (default) the hosted kernel of the debug build; OPTIONS as for ./twofold run
#   boot  the metal kernel in QEMU, stopped before its first instruction; OPTIONS as for ./twofold boot

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
