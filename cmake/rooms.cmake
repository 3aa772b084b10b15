# twofold_room(NAME SOURCES file...)
#
# A room of core/ (or a set of kernel sources elsewhere): an object library `NAME_<machine>` for each
# machine that is being built, from the same sources. `NAME_host_archive` holds the host's objects as an
# archive, for programs that run a part of a room without a kernel and link what that part uses.
function(twofold_room name)
    cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES")
    foreach(machine IN LISTS TWOFOLD_MACHINES)
        add_library(${name}_${machine} OBJECT ${room_SOURCES})
        target_link_libraries(${name}_${machine} PUBLIC machine_${machine})
    endforeach()
    if("host" IN_LIST TWOFOLD_MACHINES)
        add_library(${name}_host_archive STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${name}_host>)
        set_target_properties(${name}_host_archive PROPERTIES LINKER_LANGUAGE CXX)
        # A part of a room needs what it uses alone, however the room's sources were joined for the compiler.
        target_link_options(${name}_host_archive INTERFACE -Wl,--gc-sections)
    endif()
endfunction()

# twofold_pure_room(NAME SOURCES file... [LINK room...])
#
# A room that needs no machine. Beside the object libraries of twofold_room it is an ordinary static
# library `NAME` of the host, for tools, host tests, fuzz targets and the installed package, linked with the
# static libraries of the rooms that it uses.
function(twofold_pure_room name)
    cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES;LINK")
    twofold_room(${name} SOURCES ${room_SOURCES})
    if("host" IN_LIST TWOFOLD_MACHINES)
        add_library(${name} STATIC ${room_SOURCES})
        target_link_libraries(${name} PUBLIC ${room_LINK} PRIVATE $<BUILD_INTERFACE:host_program>)
        set_property(GLOBAL APPEND PROPERTY twofold_pure_rooms ${name})
        target_include_directories(${name} PUBLIC
            $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
            $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/core/base/mutants/${TWOFOLD_MUTANTS}>
            $<INSTALL_INTERFACE:include/twofold>)
        target_compile_features(${name} PUBLIC cxx_std_23)
        add_library(twofold::${name} ALIAS ${name})
    endif()
endfunction()

# The rooms that the images are made of, in the order of the ladder (targets without the machine's suffix).
set(TWOFOLD_BASE_ROOMS base trace memory acpi codec text processor sched task async device boot)
set(TWOFOLD_FULL_ROOMS ${TWOFOLD_BASE_ROOMS} scenarios shell shell_kernel selected_commands selected_drivers)
# The same for tests: with the guides' commands and driver where nobody selected others (apps/commands, apps/drivers).
list(TRANSFORM TWOFOLD_FULL_ROOMS REPLACE "^selected_" guide_ OUTPUT_VARIABLE TWOFOLD_GUIDE_ROOMS)
