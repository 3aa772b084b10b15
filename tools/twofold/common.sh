# What every verb uses: messages, exit statuses, suggestions, options, the list of verbs.
# Sourced by ./twofold, which sets `root`. Needs bash and coreutils alone: it runs before any set-up.

# Exit statuses, the same for every verb and every machine.
readonly status_usage=64 status_unavailable=69

# Messages of the script go to stderr: stdout belongs to the guest and to reports.
say() { printf 'twofold: %s\n' "$*" >&2; }

# fail STATUS TEXT...: says one line and ends.
fail() {
    local status=$1
    shift
    say "$*"
    exit "$status"
}

usage_error() { fail "$status_usage" "$@"; }

# verb_file NAME: where a verb is defined, whether it exists or not. A name that is not a plain word
# gives the path of no file.
verb_file() {
    [[ $1 =~ ^[a-z][a-z0-9_]*$ ]] || {
        printf '/nonexistent'
        return
    }
    printf '%s/tools/twofold/verbs/%s.sh' "$root" "$1"
}

verb_names() {
    local file
    for file in "$root"/tools/twofold/verbs/*.sh; do
        file=${file##*/}
        printf '%s\n' "${file%.sh}"
    done
}

# edit_distance A B: the Levenshtein distance, one row at a time.
edit_distance() {
    local a=$1 b=$2 i j cost previous current
    local -a row
    for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
    for ((i = 1; i <= ${#a}; i++)); do
        previous=${row[0]}
        row[0]=$i
        for ((j = 1; j <= ${#b}; j++)); do
            current=${row[j]}
            cost=1
            [[ ${a:i-1:1} == "${b:j-1:1}" ]] && cost=0
            ((row[j] = previous + cost))
            ((row[j] > row[j - 1] + 1)) && ((row[j] = row[j - 1] + 1))
            ((row[j] > current + 1)) && ((row[j] = current + 1))
            previous=$current
        done
    done
    printf '%d' "${row[${#b}]}"
}

# suggestion GIVEN KNOWN...: "; did you mean 'KNOWN'?" for the nearest, or nothing when none is near.
suggestion() {
    local given=$1 candidate distance best='' least=3
    shift
    for candidate in "$@"; do
        distance=$(edit_distance "$given" "$candidate")
        ((distance < least && distance < ${#candidate})) && least=$distance best=$candidate
    done
    [[ -z $best ]] || printf "; did you mean '%s'?" "$best"
}

# unknown_argument VERB GIVEN KNOWN...: ends with one line about an option or argument of a verb.
unknown_argument() {
    local verb=$1 given=$2 what=argument
    shift 2
    [[ $given == -* ]] && what=option
    usage_error "$verb: unknown $what '$given'$(suggestion "$given" "$@") (./twofold help $verb)"
}

# option_value VERB OPTION [VALUE]: ends unless the option has a value.
option_value() {
    [[ $# -ge 3 && -n $3 ]] || usage_error "$1: $2 needs a value"
}

# now_ms: milliseconds, for durations shown to people.
now_ms() {
    local now=$EPOCHREALTIME
    printf '%d' $((${now%[.,]*} * 1000 + 10#${now#*[.,]} / 1000))
}

# seconds MILLISECONDS: "12.3 s".
seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }
