#!/bin/sh
# make-iso.sh IMAGE.elf OUT.iso [COMMAND LINE]
#
# A CD image that boots IMAGE through GRUB and Multiboot2, on a BIOS and on UEFI. No menu, no wait; a linear
# framebuffer is handed over where there is one. Needs grub-mkrescue with the platforms i386-pc and
# x86_64-efi, xorriso, mtools and xz.
set -eu

fail() {
    echo "make-iso.sh: $1" >&2
    exit "$2"
}

[ $# -ge 2 ] && [ $# -le 3 ] || fail "usage: make-iso.sh IMAGE.elf OUT.iso [COMMAND LINE]" 64
image=$1
iso=$2
command_line=${3-}
[ -r "$image" ] || fail "$image: cannot be read" 66
for tool in grub-mkrescue grub-file xorriso mformat xz; do
    command -v "$tool" >/dev/null ||
        fail "$tool is missing (apt-get install grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools xz-utils)" 69
done
for platform in i386-pc x86_64-efi; do
    [ -d "/usr/lib/grub/$platform" ] ||
        fail "GRUB's platform $platform is missing (apt-get install grub-pc-bin grub-efi-amd64-bin)" 69
done
grub-file --is-x86-multiboot2 "$image" || fail "$image: not a Multiboot2 image" 65
case $command_line in
*"
"*) fail "the command line has more than one line" 64 ;;
esac

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM HUP
mkdir -p "$folder/tree/boot/grub"
cp "$image" "$folder/tree/boot/twofold.elf"
# A word in single quotes reaches the kernel as it is; a quote inside is written as '\''.
quoted=$(printf '%s' "$command_line" | sed "s/'/'\\\\''/g")
cat >"$folder/tree/boot/grub/grub.cfg" <<END
set timeout=0
set timeout_style=hidden
terminal_output console
insmod all_video
set gfxmode=auto
set gfxpayload=1024x768x32,auto
multiboot2 /boot/twofold.elf '$quoted'
boot
END
# Only what the few lines above need: the disc, its file system, Multiboot2 and the screens. (The rescue
# image names every kind of partition table itself.)
modules="normal iso9660 multiboot2 boot all_video gfxterm fat"
partitions="part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan"
partitions="$partitions part_sun part_sunpc"
if ! grub-mkrescue --output="$folder/twofold.iso" --compress=xz --fonts= --locales= --themes= \
    --install-modules="$modules $partitions" \
    "$folder/tree" -- -volid TWOFOLD >"$folder/log" 2>&1; then
    cat "$folder/log" >&2
    fail "grub-mkrescue failed" 70
fi
cp "$folder/twofold.iso" "$iso" || fail "$iso: cannot be written" 74
