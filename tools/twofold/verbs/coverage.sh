# coverage: which lines of core/ the tests of the hosted machine run
#
#     ./twofold coverage
#
# Builds with clang's source-based coverage, runs the tests, prints a table per room; the pages with every
# line are in build/coverage/html.

# coverage_table: reads llvm-cov's JSON summary, prints one line a room.
coverage_table() {
    python3 - "$root" "$1" <<'PYTHON'
import collections
import json
import os
import sys

root, path = sys.argv[1:]
rooms = collections.defaultdict(lambda: collections.Counter())
for entry in json.load(open(path))["data"][0]["files"]:
    parts = os.path.relpath(entry["filename"], root).split(os.sep)
    if parts[0] not in ("core", "hal", "apps", "tools") or len(parts) < 3:
        continue
    room = rooms["/".join(parts[:2])]
    for kind in ("lines", "functions", "branches"):
        room[kind] += entry["summary"][kind]["count"]
        room[kind + " covered"] += entry["summary"][kind]["covered"]
print(f"{'room':<20} {'lines':>8} {'functions':>10} {'branches':>9}")
for name, room in sorted(rooms.items()):
    shares = [
        f"{room[kind + ' covered'] / room[kind] * 100:.1f} %" if room[kind] else "-"
        for kind in ("lines", "functions", "branches")
    ]
    print(f"{name:<20} {shares[0]:>8} {shares[1]:>10} {shares[2]:>9}")
PYTHON
}

verb_coverage() {
    [[ $# == 0 ]] || unknown_argument coverage "$1"
    ensure_packages core
    build coverage
    local folder=$root/build/coverage/report program failed=0
    local -a objects=()
    rm -rf "$folder"
    mkdir -p "$folder/raw"
    (cd "$root" && LLVM_PROFILE_FILE="$folder/raw/%p-%m.profraw" \
        ctest --preset coverage -j "$(nproc)" --timeout 300) >"$folder/test.log" 2>&1 || failed=1
    [[ $failed == 0 ]] || tail -n 20 "$folder/test.log" >&2
    find "$folder/raw" -name '*.profraw' >"$folder/raw.list"
    llvm-profdata-19 merge -sparse -o "$folder/merged.profdata" -f "$folder/raw.list"
    while IFS= read -r program; do
        objects+=(${objects[0]:+-object} "$program")
    done < <(find "$root/build/coverage" -type f -executable -not -name '*.so*' -not -path '*/CMakeFiles/*' \
        -exec grep -l -a -m 1 __llvm_prf_names {} +)
    [[ ${#objects[@]} -gt 0 ]] || fail "$status_unavailable" "coverage: no program was built with coverage"
    llvm-cov-19 export -summary-only -instr-profile "$folder/merged.profdata" "${objects[@]}" \
        >"$folder/summary.json" 2>"$folder/llvm-cov.log"
    llvm-cov-19 show -format=html -output-dir "$root/build/coverage/html" \
        -instr-profile "$folder/merged.profdata" "${objects[@]}" 2>>"$folder/llvm-cov.log"
    coverage_table "$folder/summary.json"
    printf 'every line: build/coverage/html/index.html\n'
    exit "$failed"
}
