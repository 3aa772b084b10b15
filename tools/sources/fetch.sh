#!/usr/bin/env bash
# fetch.sh NAME FOLDER: unpacks the source package of sources.txt into FOLDER, which comes to be whole or not at all.
#
# The package comes from the distribution's archive, whose signature apt checks, by a private list of sources: the
# system's own lists, which mostly name binaries alone, stay as they are. Needs no root. Several may run at a time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    printf 'fetch.sh: %s\n' "$1" >&2
    exit 69
}

[[ $# == 2 ]] || { printf 'usage: fetch.sh NAME FOLDER\n' >&2 && exit 64; }
name=$1 folder=$2
package='' archive=''
while read -r each package archive _; do
    [[ $each == "$name" ]] && break
    package=''
done < <(grep -v '^#' "$here/sources.txt")
[[ -n $package ]] || fail "there is no source '$name' in sources.txt"
command -v apt-get >/dev/null || fail "this system has no apt-get: unpack the sources of $name into $folder yourself"

mkdir -p "$(dirname "$folder")"
exec {lock}>"$folder.lock"
flock "$lock"
[[ -d $folder ]] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"
options=(-o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=$work/parts"
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)

# list_sources PATTERN: the places of the distribution's packages that apt knows, as places of sources; not those whose
# suite is like PATTERN.
list_sources() {
    local ID='' key=''
    # shellcheck source=/dev/null
    source /etc/os-release
    [[ -r /usr/share/keyrings/$ID-archive-keyring.gpg ]] && key="[signed-by=/usr/share/keyrings/$ID-archive-keyring.gpg] "
    # shellcheck disable=SC2016 # the names are apt's
    apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
        sort -u | while IFS='|' read -r origin uri suite component; do
        [[ -n $origin || $uri != *"/$ID"* ]] || origin=$ID # its list was never fetched
        [[ ${origin,,} == "$ID" && $component == main && ! $suite =~ $1 ]] || continue
        printf 'deb-src %s%s %s %s\n' "$key" "$uri" "$suite" "$component"
    done >"$work/sources.list"
    [[ -s $work/sources.list ]]
}

download() {
    (cd "$work" && apt-get -q "${options[@]}" update && apt-get -q "${options[@]}" source --download-only "$package") \
        >"$work/log" 2>&1 </dev/null
}

# The release itself first: there everyone gets the same.
{ list_sources '-(security|updates|backports)' && download; } || { list_sources '^$' && download; } || {
    [[ -f $work/log ]] && tail -n 5 "$work/log" >&2
    fail "the source package $package cannot be had from the distribution's archive"
}
# shellcheck disable=SC2206 # a pattern
archives=($work/$archive)
[[ -f ${archives[0]} ]] || fail "the source package $package has no $archive"
mkdir "$work/unpacked"
tar -xf "${archives[0]}" -C "$work/unpacked" --strip-components=1
mv "$work/unpacked" "$folder"
