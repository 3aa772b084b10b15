# image: build the metal images and say where they are, how large, and how much memory they need
#
#     ./twofold image [--iso]
#
#   --iso  build the bootable ISO image of the full profile too (GRUB, BIOS and UEFI)

verb_image() {
    while [[ $# -gt 0 ]]; do
        case $1 in
            *) unknown_argument image "$1" --iso ;;
        esac
    done
}
