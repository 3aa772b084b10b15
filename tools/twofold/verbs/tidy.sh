# tidy: check the style of the house by a program
#
#     ./twofold tidy [--all] [--fix] [RULE...]
#
# The include ladder, sizes, forbidden tokens, formatting, clang-tidy on what changed, documents, and more;
# `./twofold tidy --list` names the rules, `./twofold tidy --help` the other options.

passes_help=yes

verb_tidy() {
    ensure_packages core
    exec python3 "$root/tools/tidy/tidy.py" "$@"
}
