#!/usr/bin/env bash
# Brings the sources that a port's recipe (ports/NAME.port) names into a folder, verified.
#
#     tools/port.sh RECIPE FOLDER [GIVEN]
#
# Afterwards FOLDER/<the recipe's folder> holds the sources. GIVEN is a local archive or an unpacked
# source folder to take instead of fetching. Otherwise the archive comes from the distribution's source
# package, by way of the package sources of this system: a private list derived from them is used, so
# that nothing under /etc changes and no root is needed. Several builds may call it at once.
#
# Exit status: 0 done, 64 usage, 65 what was found is not what the recipe names, 69 nothing found.
set -euo pipefail

fail() { # STATUS TEXT...
    local status=$1
    shift
    printf 'port %s: %s\n' "${name:-}" "$*" >&2
    exit "$status"
}

hash_of() { sha256sum -- "$1" | cut -d ' ' -f 1; }

# Every `file` of the recipe must lie in folder $1 with the right hash.
verify_files() {
    local key path expected found
    while read -r key path expected; do
        [[ $key == file ]] || continue
        [[ -f $1/$path ]] || fail 65 "refused: $1 has no file $path"
        found=$(hash_of "$1/$path")
        [[ $found == "$expected" ]] ||
            fail 65 "refused: the SHA-256 of $1/$path is $found, the recipe says $expected"
    done <"$recipe"
}

verify_archive() {
    local found
    found=$(hash_of "$1")
    [[ $found == "$archive_hash" ]] ||
        fail 65 "refused: the SHA-256 of $1 is $found, the recipe says $archive_hash"
}

# A source list of our own: the system's binary package sources, read as source package sources.
derive_sources() {
    local file
    mkdir -p "$1"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -f $file ]] || continue
        sed -nE '/cdrom:/d; s/^[[:space:]]*deb(-src)?[[:space:]]+/deb-src /p' "$file" \
            >"$1/${file##*/}.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -f $file ]] || continue
        sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$1/${file##*/}"
    done
}

# Downloads the recipe's archive into $work.
fetch() {
    command -v apt-get >/dev/null || fail 69 "$(advice 'there is no apt-get here')"
    derive_sources "$work/parts"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/download"
    local -a apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts"
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb-src::DEP-11::DefaultEnabled=false -o Acquire::Retries=3
        -o APT::Sandbox::User="$(id -un)")
    printf 'port %s: fetching the source package %s\n' "$name" "$package" >&2
    # One of the system's sources may carry no source packages; what counts is whether ours is found.
    "${apt[@]}" update >"$work/log" 2>&1 || true
    local wanted
    for wanted in "$package=$version" "$package"; do
        (cd "$work/download" && "${apt[@]}" --download-only --tar-only --only-source source "$wanted") \
            >>"$work/log" 2>&1 || true
        [[ -f $work/download/$archive ]] && return
    done
    local reason
    reason=$(grep -m 1 -E '^[EW]: ' "$work/log" || echo "their $package is of another version")
    fail 69 "$(advice "the package sources of this system do not give $archive ($reason)")"
}

advice() {
    printf '%s; give the archive or an unpacked folder by TWOFOLD_PORT_%s=PATH' "$1" "${name^^}"
}

[[ $# == 2 || $# == 3 ]] || { sed -n 's/^#     //p' "$0" >&2; exit 64; }
recipe=$1 target=$2 given=${3:-}
[[ -f $recipe ]] || fail 64 "there is no recipe $recipe"

fact() { awk -v key="$1" -v column="${2:-2}" '$1 == key { print $column; exit }' "$recipe"; }
name=$(fact name) version=$(fact version) package=$(fact package)
archive=$(fact archive) archive_hash=$(fact archive 3) folder=$(fact folder)
[[ -n $name && -n $version && -n $package && -n $archive_hash && -n $folder ]] ||
    fail 64 "$recipe lacks a name, version, package, archive or folder"

mkdir -p "$target"
exec 9>"$target/.$name.lock"
flock 9

# The stamp names the recipe and the origin that the unpacked sources were verified against.
stamp=$target/$folder.verified
identity="$(hash_of "$recipe") ${given:-package}"
if [[ -f $stamp && $(<"$stamp") == "$identity" ]]; then
    (verify_files "$target/$folder") 2>/dev/null && exit 0
fi

work=$(mktemp -d "$target/.$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/unpacked"
if [[ -n $given && -d $given ]]; then
    verify_files "$given"
    mkdir "$work/unpacked/$folder"
    while read -r key path _; do
        [[ $key == file ]] || continue
        mkdir -p "$(dirname "$work/unpacked/$folder/$path")"
        cp -- "$given/$path" "$work/unpacked/$folder/$path"
    done <"$recipe"
else
    if [[ -n $given ]]; then
        [[ -f $given ]] || fail 69 "there is no file or folder $given"
        source_archive=$given
    else
        fetch
        source_archive=$work/download/$archive
    fi
    verify_archive "$source_archive"
    tar -xf "$source_archive" -C "$work/unpacked" || fail 65 "$source_archive does not unpack"
    verify_files "$work/unpacked/$folder"
fi
rm -rf "${target:?}/$folder" "$stamp"
mv "$work/unpacked/$folder" "$target/$folder"
find "$target/$folder" -type f -exec touch {} +
printf '%s\n' "$identity" >"$stamp"
