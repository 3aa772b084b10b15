# twofold_metal_image(NAME SOURCES composition.cpp... ROOMS target...)
#
# A bootable image of the metal machine from rooms (without the suffix of the machine) and a composition
# source: images/twofold-NAME.elf, compressed behind the unpacking stub, and images/twofold-NAME.debug.elf,
# the kernel with its symbols, linked at 0 (gdb: symbol-file with the offset of the run's image_base).
function(twofold_metal_image name)
    cmake_parse_arguments(PARSE_ARGV 1 image "" "" "SOURCES;ROOMS")
    set(folder ${CMAKE_BINARY_DIR}/images)
    set(script ${CMAKE_SOURCE_DIR}/hal/x86_64/kernel/image.ld)
    set(debug ${folder}/twofold-${name}.debug.elf)
    set(packed ${folder}/twofold-${name}.elf)

    list(TRANSFORM image_ROOMS APPEND _metal OUTPUT_VARIABLE rooms)
    add_executable(image_${name}_metal ${image_SOURCES})
    target_link_libraries(image_${name}_metal PRIVATE machine_metal metal_machine isa_metal ${rooms})
    set_target_properties(image_${name}_metal PROPERTIES
        OUTPUT_NAME twofold-${name}.debug.elf RUNTIME_OUTPUT_DIRECTORY ${folder} LINK_DEPENDS ${script})
    target_link_options(image_${name}_metal PRIVATE -nostdlib -static-pie
        -Wl,-z,max-page-size=4096,-z,noexecstack,-z,norelro,-z,text,--no-dynamic-linker,--build-id=none
        -Wl,--hash-style=sysv,--gc-sections,-T,${script})

    set(symbols)
    set(symbols_arguments)
    if(TARGET twofold-symbols)
        set(symbols ${folder}/twofold-${name}.sym)
        add_custom_command(OUTPUT ${symbols}
            COMMAND twofold-symbols ${debug} ${symbols}
            DEPENDS twofold-symbols image_${name}_metal ${debug} VERBATIM)
        set(symbols_arguments --symbols ${symbols})
    endif()
    add_custom_command(OUTPUT ${packed}
        COMMAND twofold-pack --stub $<TARGET_FILE:metal_stub> --kernel ${debug} ${symbols_arguments}
            --output ${packed}
        DEPENDS twofold-pack metal_stub image_${name}_metal ${debug} ${symbols} VERBATIM)
    add_custom_target(image_${name} ALL DEPENDS ${packed})
endfunction()
