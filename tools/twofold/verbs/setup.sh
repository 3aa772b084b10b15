# setup: install what is missing
#
#     ./twofold setup [--bench]
#
# Installs with apt-get, through sudo where not root, what `doctor` finds missing for `run` and `test`;
# with --bench also what `bench` needs. Other verbs do the same by themselves when they must; with
# TWOFOLD_NO_INSTALL=1 they stop and name what is missing instead.

verb_setup() {
    local group=core
    while [[ $# -gt 0 ]]; do
        case $1 in
            --bench) group=bench ;;
            *) unknown_argument setup "$1" --bench ;;
        esac
        shift
    done
    rm -f "$(packages_stamp "$group")"
    ensure_packages "$group"
    say "everything is there; ./twofold doctor shows it"
}
