# twofold_kernel_tests(NAME SOURCES file.test.cpp... [MACHINES machine...])
#
# Tests that run inside a kernel on every machine (tests/support/test.hpp). The set is linked into the
# test image of each machine. MACHINES names those whose own parts are tested.
function(twofold_kernel_tests name)
    cmake_parse_arguments(PARSE_ARGV 1 tests "" "" "SOURCES;MACHINES")
    foreach(machine IN LISTS TWOFOLD_MACHINES)
        if(tests_MACHINES AND NOT machine IN_LIST tests_MACHINES)
            continue()
        endif()
        add_library(tests_${name}_${machine} OBJECT ${tests_SOURCES})
        target_link_libraries(tests_${name}_${machine} PUBLIC machine_${machine})
        # Lines for backtraces; nobody steps through the locals of an optimised test. The preset release optimises
        # tests as it does the kernel; clang takes five times as long for that. In an emulator it pays.
        target_compile_options(tests_${name}_${machine} PRIVATE $<$<CONFIG:RelWithDebInfo>:-g1>)
        if(machine STREQUAL "host" AND NOT TWOFOLD_EDGES)
            target_compile_options(tests_${name}_${machine} PRIVATE $<$<CONFIG:Release>:-O0>)
        endif()
        set_property(GLOBAL APPEND PROPERTY twofold_kernel_tests_${machine} tests_${name}_${machine})
    endforeach()
endfunction()

# twofold_host_test(NAME SOURCES file.host.cpp... [LINK target...])
#
# A GoogleTest program for what exists on the host only: tools, oracles, the hosted machine's own parts. GoogleTest's
# headers are compiled once for all of them (tests/CMakeLists.txt); a source with flags of its own sets
# SKIP_PRECOMPILE_HEADERS.
function(twofold_host_test name)
    cmake_parse_arguments(PARSE_ARGV 1 test "" "" "SOURCES;LINK")
    if(NOT "host" IN_LIST TWOFOLD_MACHINES)
        return()
    endif()
    add_executable(test_${name} ${test_SOURCES})
    target_link_libraries(test_${name} PRIVATE cold_program ${test_LINK} GTest::gtest GTest::gtest_main)
    target_precompile_headers(test_${name} REUSE_FROM host_test_headers)
    gtest_discover_tests(test_${name} TEST_PREFIX host.${name}. PROPERTIES LABELS host)
endfunction()

# twofold_thread_test(NAME SOURCES file.host.cpp... ROOMS room...)
#
# A GoogleTest program under ThreadSanitizer, with the sources of rooms of core/ compiled into it: kernel code on
# host threads as processors. It has flags of its own, so a build with other sanitizers leaves it out. Once is
# enough, with g++; the preset `threads` runs whole kernels under clang's.
function(twofold_thread_test name)
    cmake_parse_arguments(PARSE_ARGV 1 test "" "" "SOURCES;ROOMS")
    if(NOT "host" IN_LIST TWOFOLD_MACHINES OR TWOFOLD_SANITIZE OR TWOFOLD_JOINED)
        return()
    endif()
    list(JOIN test_ROOMS _ rooms)
    set(rooms threads_${rooms})
    set(parts test_${name})
    if(NOT TARGET ${rooms})
        foreach(room IN LISTS test_ROOMS)
            get_target_property(sources ${room}_host SOURCES)
            list(TRANSFORM sources PREPEND ${CMAKE_SOURCE_DIR}/core/${room}/)
            list(APPEND room_sources ${sources})
        endforeach()
        # An archive, of which what the test does not use goes away: that would need a machine.
        add_library(${rooms} STATIC ${room_sources} ${CMAKE_SOURCE_DIR}/tools/package/check_failed.cpp)
        target_compile_options(${rooms} PRIVATE -ffunction-sections -fdata-sections)
        list(APPEND parts ${rooms})
    endif()
    add_executable(test_${name} ${test_SOURCES} ${CMAKE_SOURCE_DIR}/tests/support/processor.cpp)
    target_link_libraries(test_${name} PRIVATE ${rooms} GTest::gtest GTest::gtest_main)
    target_link_options(test_${name} PRIVATE -fsanitize=thread -Wl,--gc-sections)
    foreach(part IN LISTS parts)
        target_link_libraries(${part} PRIVATE host_program)
        target_include_directories(${part} PRIVATE
            $<TARGET_PROPERTY:hosted_machine,INTERFACE_INCLUDE_DIRECTORIES>)
        target_compile_options(${part} PRIVATE -fsanitize=thread -O1 -g1)
    endforeach()
    gtest_discover_tests(test_${name} TEST_PREFIX host.${name}. PROPERTIES LABELS host)
endfunction()

# twofold_tool_test(NAME COMMAND word...)
#
# A test of what is not built from the tree's C++ by itself: the entry script, ports, the installed package.
# Once is enough, so only the plain g++ build has them: the preset `release`.
function(twofold_tool_test name)
    cmake_parse_arguments(PARSE_ARGV 1 test "" "" "COMMAND")
    if(NOT TWOFOLD_TOOL_TESTS)
        return()
    endif()
    add_test(NAME tools.${name} COMMAND ${test_COMMAND} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(tools.${name} PROPERTIES LABELS tools TIMEOUT 300)
endfunction()

# twofold_fuzz_target(NAME SOURCES file.fuzz.cpp [LINK target...] [CORPUS folder])
#
# A libFuzzer program `fuzz_<NAME>`, built by the preset `fuzz` only. `CORPUS` holds its seeds; every
# input that ever crashed it is added there and so becomes a test.
if(TWOFOLD_FUZZ)
    add_custom_target(fuzz_targets)
endif()
function(twofold_fuzz_target name)
    if(NOT TWOFOLD_FUZZ)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 fuzz "" "CORPUS" "SOURCES;LINK")
    add_executable(fuzz_${name} ${fuzz_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE host_program ${fuzz_LINK})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzz_targets fuzz_${name})
    # What ./twofold fuzz reads: the program and its corpus.
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/fuzz-targets/${name}
        CONTENT "$<TARGET_FILE:fuzz_${name}>\n${CMAKE_CURRENT_SOURCE_DIR}/${fuzz_CORPUS}\n")
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} -runs=0 ${CMAKE_CURRENT_SOURCE_DIR}/${fuzz_CORPUS})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz)
endfunction()
