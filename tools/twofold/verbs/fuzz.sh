# fuzz: feed a parser with inputs that libFuzzer invents
#
#     ./twofold fuzz TARGET [--time SECONDS]
#     ./twofold fuzz --all [--time SECONDS]
#     ./twofold fuzz --list
#
# Starts from the target's corpus in the tree, for 60 s unless told otherwise. An input that crashes the
# target is kept and named; copied into the corpus it is a test from then on (ctest --preset fuzz).

fuzz_targets_folder=$root/build/fuzz/fuzz-targets

# fuzz_one TARGET SECONDS: status 1 if an input crashed it.
fuzz_one() {
    local target=$1 work=$root/build/fuzz/work/$1 log program corpus crash found=''
    { read -r program && read -r corpus; } <"$fuzz_targets_folder/$target"
    mkdir -p "$work/new"
    rm -f "$work"/crash-* "$work"/leak-* "$work"/timeout-* "$work"/oom-*
    log=$work/log
    if "$program" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/" "$work/new" "$corpus" >"$log" 2>&1 </dev/null; then
        printf '%-24s ok, %s inputs in %s s\n' "$target" \
            "$(sed -nE 's/^stat::number_of_executed_units: *//p' "$log")" "$2"
        return 0
    fi
    grep -E -m 1 '^(SUMMARY|==[0-9]+== *ERROR)' "$log" || tail -n 5 "$log"
    for crash in "$work"/crash-* "$work"/leak-* "$work"/timeout-* "$work"/oom-*; do
        [[ -f $crash ]] || continue
        found=yes
        printf '%-24s FAILED on an input; again: %s %s\n' "$target" "${program#"$root"/}" "${crash#"$root"/}"
        printf '    to make it a test: cp %s %s/\n' "${crash#"$root"/}" "${corpus#"$root"/}"
    done
    [[ -n $found ]] || printf '%-24s FAILED without an input; log: %s\n' "$target" "${log#"$root"/}"
    return 1
}

verb_fuzz() {
    local time=60 list='' all='' target='' failed=0
    local -a targets
    while [[ $# -gt 0 ]]; do
        case $1 in
            --list) list=yes ;;
            --all) all=yes ;;
            --time)
                option_value fuzz "$@"
                time=$2
                shift
                ;;
            --time=?*) time=${1#*=} ;;
            -*) unknown_argument fuzz "$1" --list --all --time ;;
            *)
                [[ -z $target ]] || unknown_argument fuzz "$1"
                target=$1
                ;;
        esac
        shift
    done
    [[ $time =~ ^[1-9][0-9]{0,5}$ ]] ||
        usage_error "fuzz: --time takes a number of seconds from 1 to 999999, not '$time'"
    [[ -n $list$all$target ]] || usage_error "fuzz: name a target, or --all; ./twofold fuzz --list shows them"
    ensure_packages core
    build fuzz build.ninja
    mapfile -t targets < <(cd "$fuzz_targets_folder" 2>/dev/null && ls)
    if [[ -n $list ]]; then
        [[ ${#targets[@]} == 0 ]] || printf '%s\n' "${targets[@]}"
        return
    fi
    [[ ${#targets[@]} -gt 0 ]] || fail "$status_unavailable" 'fuzz: the build has no fuzz target'
    if [[ -n $target ]]; then
        [[ -f $fuzz_targets_folder/$target ]] ||
            usage_error "fuzz: unknown target '$target'$(suggestion "$target" "${targets[@]}") (./twofold fuzz --list)"
        targets=("$target")
    fi
    if [[ -n $all ]]; then build fuzz fuzz_targets; else build fuzz "fuzz_$target"; fi
    for target in "${targets[@]}"; do
        while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || failed=1; done
        fuzz_one "$target" "$time" &
    done
    while [[ -n $(jobs -p) ]]; do wait -n || failed=1; done
    exit "$failed"
}
