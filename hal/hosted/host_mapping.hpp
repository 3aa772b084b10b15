// The host's memory mappings, by bare system calls: safe in a signal handler, and unseen by a
// sanitizer's interceptors, for which simulated memory is none of theirs.
#pragma once

#include "core/base/integers.hpp"

#include <cerrno>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hosted {

using namespace twofold;

/// mmap at exactly `address`; returns 0 or the error number. O(1) system calls.
inline int map_fixed(u64 address, u64 size, int protection, int flags, int file, u64 offset) {
    long const got = syscall(SYS_mmap, address, size, protection, flags, file, offset);
    if (got == -1) {
        return errno;
    }
    if (static_cast<u64>(got) != address) { // a kernel older than MAP_FIXED_NOREPLACE
        syscall(SYS_munmap, got, size);
        return EEXIST;
    }
    return 0;
}

/// Reserves [address, address + size) without access, only where nothing lies yet.
inline int reserve(u64 address, u64 size) {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    return map_fixed(address, size, PROT_NONE, flags, -1, 0);
}

/// Makes a part of a reservation inaccessible again.
inline int withdraw(u64 address, u64 size) {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    return map_fixed(address, size, PROT_NONE, flags, -1, 0);
}

/// Maps a part of the memory file inside a reservation.
inline int map_file(u64 address, u64 size, int protection, int file, u64 offset, int more = 0) {
    return map_fixed(address, size, protection, MAP_SHARED | MAP_FIXED | more, file, offset);
}

/// Changes who may access a mapping, whose pages stay where they are.
inline int protect(u64 address, u64 size, int protection) {
    return syscall(SYS_mprotect, address, size, protection) == 0 ? 0 : errno;
}

/// Puts ordinary zeroed memory inside a reservation.
inline int map_private(u64 address, u64 size) {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    return map_fixed(address, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}

inline void unmap(u64 address, u64 size) {
    syscall(SYS_munmap, address, size);
}

} // namespace hosted
