// Fixed-width integers under the short names that kernel code reads best.
#pragma once

#include <cstddef>
#include <cstdint>

namespace twofold {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using usize = std::size_t;
using uptr = std::uintptr_t;

static_assert(
    sizeof(usize) == 8 && sizeof(void*) == 8, "the kernel is written for 64-bit machines");

} // namespace twofold
