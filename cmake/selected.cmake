# twofold_select(OPTION CLASS GUIDE DEFAULT OUT)
#
# OUT: the header that the cache variable OPTION names, which is to define twofold::CLASS, or DEFAULT. A file that
# cannot be used ends the configuration with one line that names GUIDE.
function(twofold_select option class guide default out)
    if(NOT ${option})
        set(${out} ${default} PARENT_SCOPE)
        return()
    endif()
    set(path "${${option}}")
    set(problem "")
    if(NOT EXISTS "${path}" OR IS_DIRECTORY "${path}")
        set(problem "there is no such file")
    else()
        file(STRINGS "${path}" named REGEX "(using|class|struct)[ \t]+${class}[^A-Za-z0-9_]")
        if(NOT named)
            set(problem "it defines no twofold::${class}")
        endif()
    endif()
    if(problem)
        message(FATAL_ERROR "${option}=${path}: ${problem} (${guide})")
    endif()
    set(${out} "${path}" PARENT_SCOPE)
endfunction()

# The allocator that the suite of memory and its bench run on, the policy that the suite of scheduling runs on, and the
# commands and drivers that the images of tests have beside the kernel's: those that are named, or the guides'.
twofold_select(TWOFOLD_HEAP SelectedAllocator docs/guides/write-an-allocator.md
    tests/core/memory/guide/selected_allocator.hpp TWOFOLD_SELECTED_HEAP)
twofold_select(TWOFOLD_SCHED_POLICY SelectedPolicy docs/guides/write-a-scheduler.md
    tests/core/sched/guide/selected_policy.hpp TWOFOLD_SELECTED_POLICY)
twofold_select(TWOFOLD_COMMANDS SelectedCommands docs/guides/write-a-command.md
    ${CMAKE_CURRENT_LIST_DIR}/../tests/apps/commands/guide/sample.hpp TWOFOLD_SELECTED_COMMANDS)
twofold_select(TWOFOLD_DRIVERS SelectedDrivers docs/guides/write-a-driver.md
    ${CMAKE_CURRENT_LIST_DIR}/../tests/core/device/guide/edu.hpp TWOFOLD_SELECTED_DRIVERS)
