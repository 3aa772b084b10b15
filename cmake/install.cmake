# What `cmake --install` puts where: the programs, the kernel images beside them, and the rooms of core/ that
# need no machine as the CMake package `twofold` (find_package(twofold), then twofold::base and so on).
if(NOT "host" IN_LIST TWOFOLD_MACHINES OR TWOFOLD_SANITIZE OR TWOFOLD_MUTANTS STREQUAL selected)
    return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(program IN ITEMS twofold-host twofold-boot twofold-symbols twofold-record twofold-replay
    twofold-sched twofold-sched-host twofold-window)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME)
    endif()
endforeach()
# The launcher looks for images in share/twofold/images beside its own folder; the file with the symbols
# stands beside each for its reports and for gdb.
foreach(image IN ITEMS base full sched)
    if(TARGET image_${image})
        set(built ${CMAKE_BINARY_DIR}/images/twofold-${image})
        install(FILES ${built}.elf ${built}.debug.elf
            DESTINATION ${CMAKE_INSTALL_DATADIR}/twofold/images)
    endif()
endforeach()

# What is preloaded, and the worker that only the replayer starts.
foreach(library IN ITEMS twofold-record-library twofold-replay-worker twofold-malloc)
    if(TARGET ${library})
        install(TARGETS ${library} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/twofold
            RUNTIME DESTINATION ${CMAKE_INSTALL_LIBDIR}/twofold)
    endif()
endforeach()

get_property(rooms GLOBAL PROPERTY twofold_pure_rooms)
foreach(room IN LISTS rooms)
    target_link_libraries(${room} INTERFACE $<INSTALL_INTERFACE:twofold::checks>)
    get_target_property(folder ${room} SOURCE_DIR)
    file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR} ${folder})
    install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofold/${relative}
        FILES_MATCHING PATTERN "*.hpp" PATTERN mutants EXCLUDE)
endforeach()

# Allocators and containers, and the adapters that the standard library's containers take.
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/twofold)
foreach(header IN ITEMS allocator bump_heap list_heap resize)
    install(FILES ${CMAKE_SOURCE_DIR}/core/memory/${header}.hpp DESTINATION ${headers}/core/memory)
endforeach()
foreach(folder IN ITEMS core/memory/containers core/memory/heap apps/adapters)
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/${folder}/ DESTINATION ${headers}/${folder}
        FILES_MATCHING PATTERN "*.hpp")
endforeach()
foreach(header IN ITEMS block_table call_sites corruption debug_allocator patterns)
    install(FILES ${CMAKE_SOURCE_DIR}/core/memory/debug/${header}.hpp DESTINATION ${headers}/core/memory/debug)
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/core/base/mutants/none/mutant_choice.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofold)
install(TARGETS checks allocators ${rooms} EXPORT twofold ARCHIVE)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/twofold)
install(EXPORT twofold NAMESPACE twofold:: FILE twofoldTargets.cmake DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/twofoldConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_SOURCE_DIR}/tools/package/twofoldConfig.cmake
    ${CMAKE_BINARY_DIR}/twofoldConfigVersion.cmake DESTINATION ${package_folder})
