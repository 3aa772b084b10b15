# test: build everything, run every suite on every machine, report
#
#     ./twofold test [--quick | --full] [--filter REGEX]
#
# Builds with g++ (debug with ASan and UBSan; release) and runs all suites; builds the kernel with clang and
# without assertions and runs it on every machine; compiles core/ for AArch64; has campaigns find the seeded bugs;
# runs some suites with an interrupt at every edge of the control flow, the kernel's under ThreadSanitizer, the
# fuzz targets for 10 s each, twin and tidy. A failing stage does not stop the others. Logs, and the JUnit
# report, are in build/test/. The last line is `N passed, N failed`; status 1 if any failed.
#
#   --quick         the hosted machine alone: g++ debug and release
#   --full          also everything with clang, assertions and all host programs included, the programs of the
#                   benchmarks, and the whole campaigns of which the random tests do a fixed sample otherwise
#   --filter REGEX  only the tests whose name matches, in each build

# begin_stages: an empty build/test/.
begin_stages() {
    test_folder=$root/build/test
    rm -rf "$test_folder"
    mkdir -p "$test_folder"
    : >"$test_folder/stages.tsv"
}

# stage NAME COMMAND...: runs it with its output in a log, timed; on failure shows the end of the log and
# the command again. Returns whether it passed.
stage() {
    local name=$1 began status=0 elapsed log
    shift
    log=$test_folder/${name// /-}.log
    began=$(now_ms)
    [[ -t 2 && -z ${beside:-} ]] && printf '%s ...' "$name" >&2
    (cd "$root" && "$@") >"$log" 2>&1 </dev/null || status=$?
    elapsed=$(($(now_ms) - began))
    [[ -t 2 ]] && printf '\r\033[K' >&2
    printf '%s\t%d\t%d\t%s\n' "$name" "$status" "$elapsed" "${*#"$root"/}" >>"$test_folder/stages.tsv"
    if [[ $status == 0 ]]; then
        printf '%-18s ok      %9s\n' "$name" "$(seconds "$elapsed")"
        return 0
    fi
    printf '%-18s FAILED  %9s  (status %d; %s)\n' "$name" "$(seconds "$elapsed")" "$status" "${log#"$root"/}"
    tail -n 20 "$log" | sed 's/^/    /'
    printf '    again: %s\n' "${*#"$root"/}"
    return 1
}

# What the kernel's own tests need, on every machine; and all that the kernel may be made of, for tidy.
kernel_targets=(twofold-test-host twofold-host twofold-boot image_full image_test core/all hal/all)

# build_stage PRESET [TARGET...]
build_stage() {
    local preset=$1
    shift
    if [[ ! -f $root/build/$preset/build.ninja ]]; then
        stage "configure $preset" cmake --preset "$preset" || return 1
    fi
    stage "build $preset" cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}
}

# ctest_stage PRESET [OPTION...]
ctest_stage() {
    local preset=$1
    shift
    rm -f "$root/build/$preset"/results/*.jsonl
    stage "test $preset" ctest --preset "$preset" -j "$(($(nproc) + 1))" --timeout 120 "$@" \
        --output-junit "$test_folder/ctest-$preset.xml"
}

# beside COMMAND...: runs a stage beside what follows, one at a time: while one preset is built, the tests of the
# one before run on what the build leaves idle.
beside() {
    await_beside
    set -m # a process group of its own, so that end_beside ends all of it
    (beside=yes "$@") &
    beside_process=$!
    set +m
}

end_beside() {
    [[ -z ${beside_process:-} ]] || kill -- -"$beside_process" 2>/dev/null || true
}

# await_beside: waits for the stage that runs beside, and notes a failure.
await_beside() {
    [[ -n ${beside_process:-} ]] || return 0
    wait "$beside_process" || failed=1
    beside_process=''
}

verb_test() {
    local quick='' full='' filter='' preset failed=0
    while [[ $# -gt 0 ]]; do
        case $1 in
            --quick) quick=yes ;;
            --full) full=yes ;;
            --filter)
                option_value test "$@"
                filter=$2
                shift
                ;;
            --filter=?*) filter=${1#*=} ;;
            *) unknown_argument test "$1" --quick --full --filter ;;
        esac
        shift
    done
    [[ -z $quick || -z $full ]] || usage_error "test: --quick or --full, not both"
    ensure_packages test
    local test_folder began fresh=''
    began=$(now_ms)
    [[ -n $quick || -n $filter || -e $root/build/release ]] || fresh=yes
    begin_stages
    beside_process=''
    trap end_beside EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    local -a presets=(release) options=(--no-tests=error) targets labels expected=()
    [[ -n $quick ]] && options+=(-E '^kernel\.metal')
    [[ -n $quick ]] || presets+=(unchecked)
    [[ -n $full ]] && presets+=(clang) && export TWOFOLD_CAMPAIGN=1
    presets+=(debug)
    [[ -n $filter ]] && options=(-R "$filter")
    for preset in "${presets[@]}"; do
        targets=() labels=()
        [[ -n $full && $preset == release ]] && targets=(all benches)
        [[ $preset == unchecked ]] && targets=("${kernel_targets[@]}") labels=(-L kernel)
        if build_stage "$preset" "${targets[@]}"; then
            beside ctest_stage "$preset" "${options[@]}" "${labels[@]}"
        else
            failed=1
        fi
    done
    if [[ -z $quick && -z $filter ]]; then
        build_stage aarch64 || failed=1
        stage 'configure clang' cmake --preset clang || failed=1 # how tidy reads each source
        beside stage tidy "$root/twofold" tidy
        # Seeded bugs that campaigns have to find: the test of the simulator.
        build_stage bugs twofold-sim twofold-simulator test_sim_run test_simulated_kernels &&
            ctest_stage bugs "${options[@]}" -R '^(sim\.(bugs|canary)|host\.sim(_run)?\.)' || failed=1
        build_stage edges && ctest_stage edges "${options[@]}" || failed=1
        # With eight processors there is more to race than with one, which the preset runs, too.
        build_stage threads twofold-test-host && ctest_stage threads "${options[@]}" -R cpus8 || failed=1
        build_stage fuzz fuzz_targets && stage fuzz "$root/twofold" fuzz --all --time 10 || failed=1
        await_beside
        stage twin "$root/twofold" twin || failed=1
        stage 'twin mutate' "$root/twofold" twin --mutate || failed=1
    fi
    await_beside
    if [[ -z $filter ]]; then
        for preset in "${presets[@]}"; do
            expected+=(--expect "host-$preset")
            # The sanitizers belong to the hosted machine: the preset debug builds no other.
            [[ -n $quick || $preset == debug ]] || expected+=(--expect "metal-$preset")
        done
    fi
    if [[ -n $fresh ]]; then
        # What the bench shows as the time of a whole run from a fresh clone (bench/boot.py).
        mkdir -p "$root/build/bench"
        printf '%d\n' "$(($(now_ms) - began))" >"$root/build/bench/fresh_test_ms"
    fi
    python3 "$root/tools/report.py" "$test_folder" "${expected[@]}" || failed=1
    exit "$failed"
}
