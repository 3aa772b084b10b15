# install: install the programs, and the rooms that need no machine as a CMake package
#
#     ./twofold install [--prefix FOLDER]
#
# The prefix is /usr/local unless given. Afterwards the programs run without this folder, and
# `find_package(twofold)` gives other projects twofold::base and its like (tests/install/example).

verb_install() {
    local prefix=/usr/local existing
    while [[ $# -gt 0 ]]; do
        case $1 in
            --prefix)
                option_value install "$@"
                prefix=$2
                shift
                ;;
            --prefix=?*) prefix=${1#*=} ;;
            *) unknown_argument install "$1" --prefix ;;
        esac
        shift
    done
    [[ $prefix == /* ]] || prefix=$PWD/$prefix
    existing=$prefix
    while [[ ! -e $existing ]]; do existing=$(dirname "$existing"); done
    [[ -d $existing && -w $existing ]] ||
        fail "$status_unavailable" \
            "install: $existing cannot be written; choose another folder with --prefix, or run as root"
    ensure_packages core
    build release
    cmake --install "$root/build/release" --prefix "$prefix" >"$root/build/install.log" 2>&1 || {
        tail -n 5 "$root/build/install.log" >&2
        fail "$status_unavailable" "install: cmake --install failed (build/install.log)"
    }
    local installed="s|^-- (Installing\|Up-to-date): $prefix/(bin/.*)|\2|p"
    installed=$(sed -nE "$installed" "$root/build/install.log" | tr '\n' ' ')
    say "installed in $prefix: ${installed}and the CMake package twofold"
}
