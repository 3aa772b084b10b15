# twofold_iso(NAME)
#
# The target image_NAME_iso: images/twofold-NAME.iso, a CD image that starts images/twofold-NAME.elf through GRUB
# (Multiboot2), on a BIOS and on UEFI. Built only when it is asked for.
function(twofold_iso name)
    set(folder ${CMAKE_BINARY_DIR}/images)
    set(tree ${CMAKE_BINARY_DIR}/iso/${name})
    set(KERNEL twofold-${name}.elf)
    configure_file(${CMAKE_SOURCE_DIR}/tools/package/grub.cfg.in ${tree}/boot/grub/grub.cfg @ONLY)
    add_custom_command(OUTPUT ${folder}/twofold-${name}.iso
        COMMAND ${CMAKE_COMMAND} -E copy ${folder}/${KERNEL} ${tree}/boot/${KERNEL}
        COMMAND grub-mkrescue -o ${folder}/twofold-${name}.iso ${tree} > ${tree}.log 2>&1
            || (cat ${tree}.log && exit 1)
        DEPENDS image_${name} ${folder}/${KERNEL} ${tree}/boot/grub/grub.cfg
        COMMENT "CD image ${name}")
    add_custom_target(image_${name}_iso DEPENDS ${folder}/twofold-${name}.iso)
endfunction()

if(TARGET image_full)
    twofold_iso(full)
endif()
