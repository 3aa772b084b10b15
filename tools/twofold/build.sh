# Building by preset: quiet when there is nothing to do, progress on stderr when there is.

preset_names() {
    sed -nE '/"configurePresets"/,/^  \]/ { /"hidden"/d; s/.*\{"name": "([^"]+)".*/\1/p }' \
        "$root/CMakePresets.json"
}

# require_preset VERB NAME: ends unless such a preset exists.
require_preset() {
    local -a known
    mapfile -t known < <(preset_names)
    local name
    for name in "${known[@]}"; do [[ $name == "$2" ]] && return; done
    usage_error "$1: unknown preset '$2'$(suggestion "$2" "${known[@]}") (there are: ${known[*]})"
}

# show_progress: reads ninja's output and writes to stderr what a person wants to see. On a terminal the
# steps overwrite one line; in a log only what is not a step is kept (warnings and errors).
show_progress() {
    local line interactive='' began=''
    [[ -t 2 ]] && interactive=yes
    while IFS= read -r line; do
        case $line in
            'ninja: no work to do.' | 'ninja: Entering directory'* | '-- '*) ;;
            '['[0-9]*/[0-9]*']'*)
                if [[ -n $interactive ]]; then
                    printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$line" >&2
                    began=yes
                elif [[ -z $began ]]; then
                    say "building $1"
                    began=yes
                fi
                ;;
            *)
                [[ -n $interactive && -n $began ]] && printf '\r\033[K' >&2
                printf '%s\n' "$line" >&2
                ;;
        esac
    done
    if [[ -n $interactive && -n $began ]]; then printf '\r\033[K' >&2; fi
}

# configure PRESET: once; ninja repeats it by itself when a CMake file changes.
configure() {
    local folder=$root/build/$1
    [[ -f $folder/build.ninja ]] && return
    mkdir -p "$folder"
    say "configuring $1"
    if ! (cd "$root" && cmake --preset "$1") >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log" >&2
        fail "$status_unavailable" "configuring failed; again: cmake --preset $1"
    fi
}

# build PRESET [TARGET...]: configures if needed and builds; one build of a preset at a time. The target
# build.ninja only brings the configuration up to date.
build() {
    local preset=$1
    shift
    mkdir -p "$root/build"
    local lock
    exec {lock}>"$root/build/.$preset.lock"
    flock "$lock"
    configure "$preset"
    ninja -C "$root/build/$preset" "$@" 2>&1 </dev/null | show_progress "$preset" ||
        fail "$status_unavailable" "the build failed; again: cmake --build --preset $preset${*:+ --target $*}"
    exec {lock}>&-
}

# take_preset VERB DEFAULT ARGUMENTS...: sets `preset`, and `arguments` without a leading `--preset NAME`.
take_preset() {
    local verb=$1
    preset=$2
    shift 2
    if [[ ${1:-} == --preset ]]; then
        option_value "$verb" "$@"
        preset=$2
        shift 2
    elif [[ ${1:-} == --preset=* ]]; then
        preset=${1#*=}
        shift
    fi
    require_preset "$verb" "$preset"
    arguments=("$@")
}
