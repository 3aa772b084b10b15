// What a page may be used for. W^X by type: there is no value that permits writing and executing.
#pragma once

#include "hal/mmu_types.hpp"

#include <string_view>

namespace twofold::memory {

/// The rights of a page. Reading cannot be withheld: the architectures at hand do not offer it.
enum class PageAccess : u8 { read, read_write, read_execute };

/// The same in the machine's words. O(1).
constexpr hal::Access machine_access(PageAccess access) {
    switch (access) {
    case PageAccess::read:
        return hal::Access::read;
    case PageAccess::read_write:
        return hal::Access::read | hal::Access::write;
    case PageAccess::read_execute:
        return hal::Access::read | hal::Access::execute;
    }
    UNREACHABLE();
}

/// What the machine's rights mean here, the user's right aside. Error::invalid_argument: they do
/// not permit reading, or permit writing and executing at once. O(1).
constexpr Result<PageAccess> page_access(hal::Access access) {
    bool const write = includes(access, hal::Access::write);
    bool const execute = includes(access, hal::Access::execute);
    if (!includes(access, hal::Access::read) || (write && execute)) {
        return Error::invalid_argument;
    }
    return write ? PageAccess::read_write : execute ? PageAccess::read_execute : PageAccess::read;
}

/// Whether `access` permits what was wanted. O(1).
constexpr bool permits(PageAccess access, bool write, bool execute) {
    return (!write || access == PageAccess::read_write) &&
           (!execute || access == PageAccess::read_execute);
}

/// "r--", "rw-" or "r-x". O(1).
constexpr std::string_view access_name(PageAccess access) {
    return access == PageAccess::read_write ? "rw-" : access == PageAccess::read ? "r--" : "r-x";
}

/// What a leaf of a page table says.
struct Leaf {
    PhysAddr frame;
    PageAccess access = PageAccess::read;
    bool user = false; ///< the unprivileged mode may use it
    hal::CacheMode cache = hal::CacheMode::write_back;
    bool global = false; ///< the same in every space: survives a change of spaces

    constexpr bool operator==(Leaf const&) const = default;

    constexpr hal::PageMapping mapping() const {
        hal::Access const right = machine_access(access);
        return {frame, user ? right | hal::Access::user : right, cache, global};
    }
    /// Reads what the machine's tables say. Error::invalid_argument: writable and executable.
    static constexpr Result<Leaf> from(hal::PageMapping const& mapping) {
        return Leaf{
            mapping.frame, TRY(page_access(mapping.access)),
            includes(mapping.access, hal::Access::user), mapping.cache, mapping.global};
    }
};

} // namespace twofold::memory
