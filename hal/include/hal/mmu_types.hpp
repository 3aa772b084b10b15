// The values that the contract of hal/mmu.hpp speaks of. Apart from it, so that facts of an
// instruction set can name them without a machine.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

enum class Access : u8 { none = 0, read = 1, write = 2, execute = 4, user = 8 };
constexpr Access operator|(Access a, Access b) {
    return static_cast<Access>(static_cast<u8>(a) | static_cast<u8>(b));
}
constexpr bool includes(Access set, Access one) {
    return (static_cast<u8>(set) & static_cast<u8>(one)) == static_cast<u8>(one);
}

enum class CacheMode : u8 { write_back, write_combining, uncached };

/// What a page-table entry says, free of its encoding.
struct PageMapping {
    PhysAddr frame;
    Access access = Access::none;
    CacheMode cache = CacheMode::write_back;
    bool global = false;
};

} // namespace hal
