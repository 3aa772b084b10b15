# doctor: check every tool and library that the project needs
#
#     ./twofold doctor
#
# Shows what was found and which version, and the line that installs what is missing. The list is
# tools/twofold/packages.txt. Status 0 if everything for `run` and `test` is there, 69 if not; what only
# `bench` needs is shown and does not count.

verb_doctor() {
    local group kind what least debian ubuntu found state package
    local -a missing=() missing_bench=()
    [[ $# == 0 ]] || unknown_argument doctor "$1"
    printf '%-6s %-28s %-12s %-6s %-8s %s\n' group what found least state package
    while read -r group kind what least debian ubuntu; do
        [[ $group == core || $group == bench ]] || continue
        check_line "$kind" "$what" "$least"
        package=$(package_name "$debian" "$ubuntu")
        [[ $what == /* ]] && what=${what%%,*} && what=$(basename "${what%/*}")/${what##*/}
        printf '%-6s %-28s %-12s %-6s %-8s %s\n' "$group" "$what" "${found:--}" "$least" "$state" "$package"
        [[ $state == ok ]] && continue
        if [[ $group == core ]]; then missing+=("$package"); else missing_bench+=("$package"); fi
    done <"$packages_file"
    [[ ${#missing_bench[@]} == 0 ]] ||
        printf '\nmissing for ./twofold bench; install with:\n  %s\n' "$(install_command "${missing_bench[@]}")"
    [[ ${#missing[@]} == 0 ]] && printf '\neverything that run and test need is there\n' && return
    printf '\nmissing; install with:\n  %s\nor let the script do it: ./twofold setup\n' \
        "$(install_command "${missing[@]}")"
    exit "$status_unavailable"
}
