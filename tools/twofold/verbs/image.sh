# image: build the metal images and say where they are, how large, and how much memory they need
#
#     ./twofold image [--iso]
#
#   --iso  build the bootable CD image of the full profile too (GRUB, for BIOS and UEFI)
#
# The least memory is found by starting the image in the emulator with ever less; it is remembered until the image
# changes.

readonly image_memory_most_mib=128

# image_starts FILE MIB: whether the image answers a command in a machine with that much memory.
image_starts() {
    "$root/build/release/apps/launch/twofold-boot" --machine microvm --image "$1" --memory "${2}M" \
        --timeout 20 --command version >/dev/null 2>&1 </dev/null
}

# least_memory FILE: prints the least memory in MiB, by bisection, or `unknown`.
least_memory() {
    local fails=0 starts=$image_memory_most_mib middle note=$1.least-memory
    if [[ $note -nt $1 ]]; then
        cat "$note"
        return
    fi
    if ! image_starts "$1" "$starts"; then
        printf 'unknown'
        return
    fi
    while ((starts - fails > 1)); do
        middle=$(((starts + fails) / 2))
        if image_starts "$1" "$middle"; then starts=$middle; else fails=$middle; fi
    done
    printf '%d MiB' "$starts" | tee "$note"
}

verb_image() {
    local iso='' profile file
    while [[ $# -gt 0 ]]; do
        case $1 in
            --iso) iso=yes ;;
            *) unknown_argument image "$1" --iso ;;
        esac
        shift
    done
    ensure_packages core
    build release twofold-boot image_base image_full ${iso:+image_full_iso}
    printf '%-8s %10s %14s  %s\n' profile bytes 'least memory' file
    for profile in base full; do
        file=$root/build/release/images/twofold-$profile.elf
        printf '%-8s %10d %14s  %s\n' "$profile" "$(stat -c %s "$file")" "$(least_memory "$file")" "${file#"$root"/}"
    done
    file=$root/build/release/images/twofold-full.iso
    [[ -z $iso ]] || printf '%-8s %10d %14s  %s\n' iso "$(stat -c %s "$file")" - "${file#"$root"/}"
}
