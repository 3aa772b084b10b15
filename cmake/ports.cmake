# Third-party sources that the kernel itself needs: recipes in ports/, never in the tree.
#
# twofold_port(NAME)
#
# Reads ports/NAME.port and adds the target `port_NAME_sources`, which brings the verified sources to
# build/ports (shared by all presets). `TWOFOLD_PORT_<NAME>`, a cache or environment variable, names a
# local archive or folder to take instead of the distribution's source package.
#
# twofold_port_library(TARGET PORT name LINK target... [OPTIONS flag...])
#
# A static library of the port's translation units, compiled as the linked targets ask, with warnings off:
# they are not ours to change. Who links it gets the port's include folder and macros.
#
# twofold_port_sources(NAME VARIABLE [OPTIONS flag...])
#
# The port's translation units, to be compiled as those of a target of the calling directory, each by itself. Whoever
# compiles them depends on port_NAME_sources; whoever includes them calls twofold_port_includes(NAME file...).
set(TWOFOLD_PORTS_DIR ${CMAKE_SOURCE_DIR}/build/ports CACHE PATH "Where the sources of ports are unpacked")

function(twofold_port_facts name key out)
    file(STRINGS ${CMAKE_SOURCE_DIR}/ports/${name}.port lines REGEX "^${key} ")
    list(TRANSFORM lines REPLACE "^${key} +([^ ]+).*$" "\\1")
    set(${out} ${lines} PARENT_SCOPE)
endfunction()

function(twofold_port name)
    set(recipe ${CMAKE_SOURCE_DIR}/ports/${name}.port)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${recipe})
    string(TOUPPER ${name} upper)
    set(TWOFOLD_PORT_${upper} "$ENV{TWOFOLD_PORT_${upper}}" CACHE PATH "A local archive or folder of ${name}")
    twofold_port_facts(${name} folder folder)
    twofold_port_facts(${name} file files)
    list(TRANSFORM files PREPEND ${TWOFOLD_PORTS_DIR}/${folder}/)
    add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.stamp
        BYPRODUCTS ${files}
        COMMAND ${CMAKE_SOURCE_DIR}/tools/port.sh ${recipe} ${TWOFOLD_PORTS_DIR} ${TWOFOLD_PORT_${upper}}
        COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_CURRENT_BINARY_DIR}/${name}.stamp
        DEPENDS ${recipe} ${CMAKE_SOURCE_DIR}/tools/port.sh
        COMMENT "Port ${name}" VERBATIM)
    add_custom_target(port_${name}_sources DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/${name}.stamp)
endfunction()

function(twofold_port_library target)
    cmake_parse_arguments(PARSE_ARGV 1 library "" "PORT" "LINK;OPTIONS")
    foreach(key IN ITEMS folder compile include define option)
        twofold_port_facts(${library_PORT} ${key} ${key})
    endforeach()
    list(TRANSFORM compile PREPEND ${TWOFOLD_PORTS_DIR}/${folder}/)
    list(TRANSFORM include PREPEND ${TWOFOLD_PORTS_DIR}/${folder}/)
    set_source_files_properties(${compile} PROPERTIES GENERATED TRUE)
    add_library(${target} STATIC ${compile})
    add_dependencies(${target} port_${library_PORT}_sources)
    # A library of their own, linked last: so the port's flags come after those of the linked targets.
    add_library(${target}_flags INTERFACE)
    target_compile_options(${target}_flags INTERFACE ${option} ${library_OPTIONS} -w)
    target_link_libraries(${target} PRIVATE ${library_LINK} ${target}_flags)
    target_compile_definitions(${target} PUBLIC ${define})
    target_include_directories(${target} SYSTEM PUBLIC ${include})
endfunction()

function(twofold_port_sources name variable)
    cmake_parse_arguments(PARSE_ARGV 2 sources "" "" "OPTIONS")
    foreach(key IN ITEMS folder compile define option)
        twofold_port_facts(${name} ${key} ${key})
    endforeach()
    list(TRANSFORM compile PREPEND ${TWOFOLD_PORTS_DIR}/${folder}/)
    set_source_files_properties(${compile} PROPERTIES
        GENERATED TRUE
        SKIP_UNITY_BUILD_INCLUSION ON
        COMPILE_DEFINITIONS "${define}"
        COMPILE_OPTIONS "${option};${sources_OPTIONS};-w")
    set(${variable} ${compile} PARENT_SCOPE)
endfunction()

# twofold_port_includes(NAME file...): sources of the calling directory that include the port's headers.
function(twofold_port_includes name)
    twofold_port_facts(${name} folder folder)
    twofold_port_facts(${name} include include)
    list(TRANSFORM include PREPEND ${TWOFOLD_PORTS_DIR}/${folder}/)
    set_source_files_properties(${ARGN} PROPERTIES
        INCLUDE_DIRECTORIES "${include}" SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
