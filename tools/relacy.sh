#!/usr/bin/env bash
# Runs programs of the model checker: each as it is, then without each of its numbered memory orders.
#
#     tools/relacy.sh PROGRAM...
#
# Status 1 if the source as it is fails, or if an order can be weakened and nothing notices.
set -euo pipefail

failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# explore PROGRAM SITE EXPECTED: one run; SITE is empty for the source as it is.
explore() {
    local status=0 found
    timeout 250 "$1" ${2:+"$2"} >"$log" 2>&1 || status=$?
    found=$(grep -aoE -m 1 'DATA RACE|ASSERT FAILED|DEADLOCK|LIVELOCK' "$log" || true)
    if [[ $status == "$3" ]]; then
        printf '%-16s %-20s %s\n' "${1##*relacy_}" "${2:-as it is}" "${found:-sound}"
    else
        printf '%-16s %-20s WRONG: status %s, %s\n' "${1##*relacy_}" "${2:-as it is}" "$status" \
            "${found:-nothing noticed}"
        failed=1
    fi
}

printf '%-16s %-20s %s\n' structure 'without' 'found'
for program in "$@"; do
    explore "$program" '' 0
    for site in $("$program" --list); do explore "$program" "$site" 1; done
done
exit "$failed"
