# relacy: show by a model checker that each memory order is needed
#
#     ./twofold relacy
#
# Explores the lock-free structures of the kernel, as they are and without each of their numbered memory
# orders in turn. Status 1 if the first fails, or if an order can be weakened and nothing notices.

verb_relacy() {
    [[ $# == 0 ]] || unknown_argument relacy "$1"
    ensure_packages core
    build release relacy_programs
    exec "$root/tools/relacy.sh" "$root"/build/release/tests/relacy/relacy_*[a-z]
}
