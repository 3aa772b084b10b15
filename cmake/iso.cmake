# twofold_iso(NAME)
#
# The target image_NAME_iso: images/twofold-NAME.iso, a CD image that starts images/twofold-NAME.elf through GRUB
# (Multiboot2), on a BIOS and on UEFI. Built only when it is asked for.
function(twofold_iso name)
    set(image ${CMAKE_BINARY_DIR}/images/twofold-${name})
    add_custom_command(OUTPUT ${image}.iso
        COMMAND ${CMAKE_SOURCE_DIR}/tools/make-iso.sh ${image}.elf ${image}.iso
        DEPENDS image_${name} ${image}.elf ${CMAKE_SOURCE_DIR}/tools/make-iso.sh
        COMMENT "CD image ${name}" VERBATIM)
    add_custom_target(image_${name}_iso DEPENDS ${image}.iso)
endfunction()

if(TARGET image_full)
    twofold_iso(full)
endif()
