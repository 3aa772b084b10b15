# find_package(twofold): the rooms of the kernel that need no machine, as static libraries (twofold::base and
# so on) for C++23 programs. A failed check ends the program unless it defines twofold::check_failed.
include(${CMAKE_CURRENT_LIST_DIR}/twofoldTargets.cmake)
