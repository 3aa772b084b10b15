# twofold_source(NAME VARIABLE): where the sources of a library are that the kernel is built with (tools/sources); they
# are fetched when they are first asked for, once for all presets.
function(twofold_source name variable)
    set(folder ${CMAKE_SOURCE_DIR}/build/sources/${name})
    if(NOT IS_DIRECTORY ${folder})
        message(STATUS "Fetching the sources of ${name}")
        execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/sources/fetch.sh ${name} ${folder}
            RESULT_VARIABLE status ERROR_VARIABLE problem)
        if(NOT status EQUAL 0)
            message(FATAL_ERROR "${problem}")
        endif()
    endif()
    set(${variable} ${folder} PARENT_SCOPE)
endfunction()
