# What is compiled does not depend on where the project lies: paths in messages and in debugging information begin at
# its root. So compiled objects can be kept for all clones on a machine, where ccache is installed.
option(TWOFOLD_COMPILER_CACHE "Keep compiled objects with ccache, where that is installed" ON)

add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>)

find_program(TWOFOLD_CCACHE ccache)
mark_as_advanced(TWOFOLD_CCACHE)
if(TWOFOLD_COMPILER_CACHE AND TWOFOLD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Joined sources name what they include by its whole path, so they are compared once preprocessed.
    set(launcher env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${TWOFOLD_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
