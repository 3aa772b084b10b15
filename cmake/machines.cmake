# The machines, as interface libraries: `machine_<name>` carries the include paths that choose the
# implementation of the HAL contract and the flags that kernel code is compiled with there.

# What every program of the project is compiled with.
add_library(warnings INTERFACE)
target_compile_options(warnings INTERFACE -Wall -Wextra -Wshadow -Wcast-align
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> -Wunused -Wmissing-declarations -Werror
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    $<$<CXX_COMPILER_ID:Clang>:-Werror=thread-safety>)
# g++ 12 takes the operators new and delete of a coroutine's promise for strangers if one is a template (GCC PR 109224).
target_compile_options(warnings INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-mismatched-new-delete>)
if(TWOFOLD_JOINED)
    # Sources compiled as one see each other's file-local names; the preset release looks for real shadows.
    target_compile_options(warnings INTERFACE -Wno-shadow)
endif()

if(TWOFOLD_HEAP_CHECKS)
    target_compile_definitions(warnings INTERFACE TWOFOLD_WITH_HEAP_CHECKS)
endif()

# What kernel code is compiled with on every machine: freestanding, no exceptions, no RTTI, no red
# zone, frame pointers, no vector or floating-point register but in targets with the property TWOFOLD_VECTOR.
add_library(kernel_code INTERFACE)
target_link_libraries(kernel_code INTERFACE warnings)
target_include_directories(kernel_code INTERFACE
    ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/hal/include
    ${CMAKE_SOURCE_DIR}/core/base/mutants/${TWOFOLD_MUTANTS})
target_compile_options(kernel_code INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-ffreestanding>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-threadsafe-statics>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fno-optimize-sibling-calls>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fno-strict-aliasing>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fstack-protector-strong>
    $<$<COMPILE_LANGUAGE:C,CXX>:-ffunction-sections>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fdata-sections>)
if(NOT TWOFOLD_CHECKS)
    target_compile_definitions(kernel_code INTERFACE TWOFOLD_WITHOUT_CHECKS)
endif()

set(is_general $<NOT:$<BOOL:$<TARGET_PROPERTY:TWOFOLD_VECTOR>>>)
add_library(kernel_code_x86_64 INTERFACE)
target_link_libraries(kernel_code_x86_64 INTERFACE kernel_code)
target_include_directories(kernel_code_x86_64 INTERFACE ${CMAKE_SOURCE_DIR}/hal/x86_64/isa/include)
target_compile_options(kernel_code_x86_64 INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-mno-red-zone>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fcf-protection=full>
    $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CXX_COMPILER_ID:GNU>,${is_general}>:-mgeneral-regs-only>
    $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CXX_COMPILER_ID:Clang>,${is_general}>:-mno-sse;-mno-mmx;-mno-avx>)

# What the kernels of the hosted machine have in common. Sanitizers apply here.
add_library(machine_hosted INTERFACE)
target_link_libraries(machine_hosted INTERFACE kernel_code_x86_64)
# Contexts whose switches a sanitizer has to be told about, or none.
set(TWOFOLD_HOSTED_CONTEXTS ${CMAKE_SOURCE_DIR}/hal/hosted/contexts/plain)
if(TWOFOLD_SANITIZE)
    set(TWOFOLD_HOSTED_CONTEXTS ${CMAKE_SOURCE_DIR}/hal/hosted/contexts/watched)
endif()
target_include_directories(machine_hosted INTERFACE
    ${CMAKE_SOURCE_DIR}/hal/hosted/include ${TWOFOLD_HOSTED_CONTEXTS})
if(TWOFOLD_SANITIZE)
    target_compile_options(machine_hosted INTERFACE
        -fsanitize=${TWOFOLD_SANITIZE} -fno-sanitize-recover=all)
endif()
if(TWOFOLD_SANITIZE MATCHES "address")
    # No fake stacks: local variables of the kernel lie in simulated memory, or a copy of it is not whole.
    target_compile_options(machine_hosted INTERFACE
        $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CXX_COMPILER_ID:GNU>>:--param=asan-use-after-return=0>
        $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CXX_COMPILER_ID:Clang>>:-fsanitize-address-use-after-return=never>)
endif()

if(TWOFOLD_SANITIZE MATCHES "thread")
    # A recovered fault leaves functions without returning; the sanitizer's own stack of calls would overflow. So
    # its reports name the places of the two accesses and not who called them.
    target_compile_options(machine_hosted INTERFACE
        "$<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CXX_COMPILER_ID:Clang>>:SHELL:-mllvm -tsan-instrument-func-entry-exit=0>")
endif()

# host: the hosted machine, live. sim: the same machine, simulated; its operations are points where virtual time
# passes and other processors may run (hal/hosted/sim/point.hpp).
add_library(machine_host INTERFACE)
target_link_libraries(machine_host INTERFACE machine_hosted)
add_library(machine_sim INTERFACE)
target_link_libraries(machine_sim INTERFACE machine_hosted)
target_include_directories(machine_sim INTERFACE
    ${CMAKE_SOURCE_DIR}/hal/hosted/sim/hooks ${CMAKE_SOURCE_DIR}/hal/hosted/sim/include)
# Its symbols are made local; what is unique in a program cannot be.
target_compile_options(machine_sim INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
if(TWOFOLD_SIM_EDGES)
    set(is_watched $<NOT:$<BOOL:$<TARGET_PROPERTY:TWOFOLD_UNWATCHED>>>)
    target_compile_options(machine_sim INTERFACE
        "$<$<AND:$<COMPILE_LANGUAGE:CXX>,${is_watched}>:-fsanitize-coverage=trace-pc-guard>")
endif()

# metal: x86-64 itself. Position-independent; the stack protector's canary lies in the per-CPU block.
add_library(machine_metal INTERFACE)
target_link_libraries(machine_metal INTERFACE kernel_code_x86_64)
target_include_directories(machine_metal INTERFACE ${CMAKE_SOURCE_DIR}/hal/x86_64/include)
target_compile_options(machine_metal INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-fpie>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fvisibility=hidden>
    $<$<COMPILE_LANGUAGE:C,CXX>:-mstack-protector-guard=tls>
    $<$<COMPILE_LANGUAGE:C,CXX>:-mstack-protector-guard-reg=gs>
    $<$<COMPILE_LANGUAGE:C,CXX>:-mstack-protector-guard-offset=40>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fno-asynchronous-unwind-tables>)

# exemplar: declarations only. Proves that core/ compiles for an architecture it has never met.
add_library(machine_exemplar INTERFACE)
target_link_libraries(machine_exemplar INTERFACE kernel_code)
target_include_directories(machine_exemplar INTERFACE ${CMAKE_SOURCE_DIR}/hal/exemplar/include)
target_compile_options(machine_exemplar INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-mgeneral-regs-only>)

# Ordinary programs of the host: tools, tests, the hosted machine itself. Sanitizers apply here too.
add_library(host_program INTERFACE)
target_link_libraries(host_program INTERFACE warnings)
target_include_directories(host_program INTERFACE ${CMAKE_SOURCE_DIR})
if(TWOFOLD_SANITIZE)
    target_compile_options(host_program INTERFACE
        "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:TWOFOLD_UNWATCHED>>>:-fsanitize=${TWOFOLD_SANITIZE}>"
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(host_program INTERFACE -fsanitize=${TWOFOLD_SANITIZE})
endif()

# Sources whose own speed nobody waits for, but whose headers are long: option parsing and tests. Left without
# optimisation they compile in half the time; what they link is optimised as ever.
add_library(cold_program INTERFACE)
target_link_libraries(cold_program INTERFACE host_program)
target_compile_options(cold_program INTERFACE $<$<CONFIG:RelWithDebInfo,Release>:-O0>
    $<$<NOT:$<CONFIG:Release>>:-g1>)
