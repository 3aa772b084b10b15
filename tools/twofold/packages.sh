# What the system must offer (packages.txt): checked, shown, installed.
#
# `ensure_packages GROUP` is what every verb that builds calls first. A stamp in build/ remembers a check
# that passed; it is good until packages.txt, the system's package database or the path changes, and
# costs no process to look at.

readonly packages_file=${TWOFOLD_PACKAGES:-$root/tools/twofold/packages.txt}
readonly package_database=/var/lib/dpkg/status

# package_lines GROUP: the lines of a group, without comments. `bench` and `test` include `core`.
package_lines() {
    local group rest
    while read -r group rest; do
        case $group in
            core) ;;
            bench | test) [[ $1 == "$group" ]] || continue ;;
            *) continue ;;
        esac
        printf '%s\n' "$rest"
    done <"$packages_file"
}

# version_at_least FOUND LEAST: compares dotted numbers.
version_at_least() {
    local -a have want
    local i
    IFS=. read -ra have <<<"$1"
    IFS=. read -ra want <<<"$2"
    for i in "${!want[@]}"; do
        ((10#${have[i]:-0} > 10#${want[i]})) && return 0
        ((10#${have[i]:-0} < 10#${want[i]})) && return 1
    done
    return 0
}

# program_version NAME: the first dotted number that `NAME --version` says, or nothing.
program_version() {
    local text
    command -v -- "$1" >/dev/null || return 0
    text=$("$1" --version 2>/dev/null </dev/null || true)
    [[ $text =~ [0-9]+(\.[0-9]+)+ ]] && printf '%s' "${BASH_REMATCH[0]}"
    return 0
}

# check_line KIND WHAT LEAST: sets found and state (ok, old, missing).
check_line() {
    local path
    found='' state=missing
    if [[ $1 == program ]]; then
        found=$(program_version "$2")
        [[ -n $found ]] || return 0
        state=ok
        version_at_least "$found" "$3" || state=old
    else
        for path in ${2//,/ }; do
            [[ -e $path ]] && found=present state=ok && return 0
        done
    fi
    return 0
}

# package_name DEBIAN [UBUNTU]: the name on this system.
package_name() {
    local ID=''
    # shellcheck source=/dev/null
    [[ -r /etc/os-release ]] && source /etc/os-release
    if [[ $ID == ubuntu && -n ${2:-} ]]; then printf '%s' "$2"; else printf '%s' "$1"; fi
}

# missing_packages GROUP: the packages whose check fails, one a line.
missing_packages() {
    local kind what least debian ubuntu found state
    while read -r kind what least debian ubuntu; do
        check_line "$kind" "$what" "$least"
        [[ $state == ok ]] || printf '%s\n' "$(package_name "$debian" "$ubuntu")"
    done < <(package_lines "$1")
}

# install_command PACKAGES...: the exact line that installs them, for a person to run.
install_command() {
    local sudo=''
    [[ $EUID == 0 ]] || sudo='sudo '
    printf '%sapt-get update && %sapt-get install --no-install-recommends -y %s' "$sudo" "$sudo" "$*"
}

packages_stamp() { printf '%s/build/.packages-%s' "$root" "$1"; }

# packages_known_good GROUP: whether the stamp of an earlier check still holds.
packages_known_good() {
    local stamp
    stamp=$(packages_stamp "$1")
    [[ -f $stamp && $stamp -nt $packages_file && ! $package_database -nt $stamp ]] || return 1
    [[ $(<"$stamp") == "$PATH" ]]
}

remember_packages() {
    mkdir -p "$root/build"
    printf '%s\n' "$PATH" >"$(packages_stamp "$1")"
}

# install_packages PACKAGES...: with apt-get, as root or through sudo.
install_packages() {
    local -a prefix=()
    command -v apt-get >/dev/null ||
        fail "$status_unavailable" "this system has no apt-get; install what ./twofold doctor lists as missing"
    if [[ $EUID != 0 ]]; then
        command -v sudo >/dev/null || fail "$status_unavailable" "run as root: $(install_command "$@")"
        prefix=(sudo)
    fi
    local log=$root/build/setup.log
    mkdir -p "$root/build"
    say "installing $# packages (log: build/setup.log): $*"
    prefix+=(env DEBIAN_FRONTEND=noninteractive)
    if ! { "${prefix[@]}" apt-get -q update &&
        "${prefix[@]}" apt-get -q install --no-install-recommends -y "$@"; } >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        fail "$status_unavailable" "the installation failed; run: $(install_command "$@")"
    fi
}

# ensure_packages GROUP: returns when everything is there; installs what is missing.
ensure_packages() {
    local -a missing
    packages_known_good "$1" && return
    mapfile -t missing < <(missing_packages "$1")
    if [[ ${#missing[@]} -gt 0 ]]; then
        [[ -z ${TWOFOLD_NO_INSTALL:-} ]] ||
            fail "$status_unavailable" "missing: ${missing[*]}; run: $(install_command "${missing[@]}")"
        install_packages "${missing[@]}"
        hash -r
        mapfile -t missing < <(missing_packages "$1")
        [[ ${#missing[@]} == 0 ]] ||
            fail "$status_unavailable" \
                "this system's packages are too old or incomplete: ${missing[*]}; see ./twofold doctor"
    fi
    remember_packages "$1"
}
