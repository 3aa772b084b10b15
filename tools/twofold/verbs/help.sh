# help: list the verbs, or show the use of one
#
#     ./twofold help [VERB]

# verb_summary FILE: what follows "# name: " in the first line.
verb_summary() {
    local line
    IFS= read -r line <"$1"
    printf '%s' "${line#*: }"
}

verb_help() {
    local name file
    [[ $# -le 1 ]] || unknown_argument help "$2"
    if [[ $# == 1 ]]; then
        file=$(verb_file "$1")
        if [[ ! -f $file ]]; then
            mapfile -t known < <(verb_names)
            usage_error "help: unknown verb '$1'$(suggestion "$1" "${known[@]}")"
        fi
        sed -n '/^#/!q; s/^# \{0,1\}//p' "$file"
        return
    fi
    printf 'Twofold, one kernel that runs as a Linux process and on bare x86-64.\n\n'
    printf '    ./twofold VERB [OPTIONS]\n\n'
    while IFS= read -r name; do
        printf '  %-10s %s\n' "$name" "$(verb_summary "$(verb_file "$name")")"
    done < <(verb_names)
    printf '\n./twofold help VERB shows the use of one.\n'
}
