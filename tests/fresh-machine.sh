#!/usr/bin/env bash
# Proves that two commands do all the set-up: on a bare Debian root file system (debootstrap, with git and
# nothing else of what the project needs), a clone runs `./twofold run` and `./twofold test`.
#
#     sudo tests/fresh-machine.sh [--run-only] [--keep] [FOLDER]
#
#   --run-only  `./twofold run` alone
#   --keep      leave the file system in place and say where
#   FOLDER      where the file system goes (needs about 6 GB); a temporary folder unless given
#
# What is cloned is the last commit of this repository. Needs root (chroot and mounts) and debootstrap; takes packages
# from this system's package sources. A base system once made is kept in build/fresh-machine.tar.
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
base=$root/build/fresh-machine.tar
run_only='' keep='' folder=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --run-only) run_only=yes ;;
        --keep) keep=yes ;;
        -h | --help)
            sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        -*)
            echo "fresh-machine: unknown option '$1'; see --help" >&2
            exit 64
            ;;
        *) folder=$1 ;;
    esac
    shift
done
[[ $EUID == 0 ]] || {
    echo "fresh-machine: needs root for chroot and mounts; run: sudo tests/fresh-machine.sh" >&2
    exit 69
}
command -v debootstrap >/dev/null || {
    echo "fresh-machine: debootstrap is missing; run: apt-get install debootstrap" >&2
    exit 69
}

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
# debootstrap wants one address; everything else comes from the copied package sources.
mirror=$(find /etc/apt -name '*.sources' -o -name '*.list' | sort | xargs cat |
    sed -nE 's/^(URIs:|deb( \[[^]]*\])?)[[:space:]]+([^[:space:]]+).*/\3/p' | sed -n 1p)
[[ -n $folder ]] || folder=$(mktemp -d "${TMPDIR:-/tmp}/twofold-fresh.XXXXXX")
mkdir -p "$folder"
machine=$folder/root

# Undoes the mounts, whatever happened; refuses to delete through one that stayed.
clean() {
    local status=$? place
    for place in dev/pts dev/shm proc sys; do
        if mountpoint -q "$machine/$place"; then umount -l "$machine/$place"; fi
    done
    if grep -qF " $machine/" /proc/mounts; then
        echo "fresh-machine: something is still mounted under $machine; left in place" >&2
    elif [[ -n $keep ]]; then
        echo "fresh-machine: kept in $machine" >&2
    else
        rm -rf --one-file-system "$machine"
        rmdir "$folder" 2>/dev/null || true
    fi
    exit "$status"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p "$machine" "$root/build"
if [[ ! -f $base ]]; then
    echo "== a bare $release"
    debootstrap --variant=minbase --include=git,ca-certificates "$release" "$machine" "$mirror" \
        >"$root/build/fresh-machine.log" 2>&1 || {
        tail -n 5 "$root/build/fresh-machine.log" >&2
        exit 69
    }
    tar -C "$machine" -cf "$base.part" .
    mv "$base.part" "$base"
else
    tar -C "$machine" -xf "$base"
fi

# The host's package sources, keys and network settings, so that both see the same packages.
rm -f "$machine/etc/apt/sources.list"
for file in sources.list sources.list.d trusted.gpg.d apt.conf.d auth.conf.d; do
    [[ ! -e /etc/apt/$file ]] || cp -a "/etc/apt/$file" "$machine/etc/apt/"
done
mkdir -p "$machine/usr/share/keyrings"
cp -a /usr/share/keyrings/. "$machine/usr/share/keyrings/"
cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
mount -t proc proc "$machine/proc"
mount -t sysfs -o ro sysfs "$machine/sys"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$machine/dev/pts"
mount -t tmpfs tmpfs "$machine/dev/shm"

git clone -q --no-local "$root" "$machine/twofold"

# inside COMMAND...: in the clone, with nothing of the caller's environment but where packages come from.
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        chroot "$machine" bash -c 'cd /twofold && "$@"' inside "$@"
}

there=$(inside bash -c 'command -v g++ clang++-19 cmake ninja python3 qemu-system-x86_64' || true)
echo "== programs there before: $there"
echo "== ./twofold run --command 'version; halt'"
inside ./twofold run --command 'version; halt'
if [[ -z $run_only ]]; then
    echo "== ./twofold test"
    inside ./twofold test
fi
echo "== fresh machine: passed"
