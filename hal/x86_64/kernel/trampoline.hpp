// The memory below 1 MiB in which a processor begins: code, what the code is told, and tables that
// map both where they are. Filled by processors.cpp, run by trampoline.S.
//
// Invariants: the code is mapped executable and not writable, the rest writable and not executable,
// and none of it executable in the kernel's own tables. A processor takes an offer once and only
// if it is for itself, so that one that rises late finds nothing and parks.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>

namespace metal {

using namespace twofold;

/// Pages of that memory, in order.
enum class LowPage : u32 { code, data, root, pointers, directory, table, count };

/// What lies in the data page. trampoline.S knows the offsets.
struct TrampolineData {
    u16 descriptors_limit;
    u16 descriptors_base[2]; ///< 32 bits, where LGDT wants them
    u16 reserved_0;
    u32 protected_offset; ///< a far pointer to the 32-bit code
    u16 protected_selector;
    u16 reserved_1;
    u32 long_offset; ///< a far pointer to the 64-bit code
    u16 long_selector;
    u16 reserved_2;
    u32 low_root; ///< the tables of this memory
    u32 hardware_id;
    u64 kernel_root;
    u64 stack; ///< its end
    u64 entry; ///< of the kernel image: metal_processor_entry
    u64 block; ///< CpuBlock*
    u64 descriptors[4];
    Atomic<u32> offer; ///< OfferState
};
static_assert(offsetof(TrampolineData, protected_offset) == 8);
static_assert(offsetof(TrampolineData, long_offset) == 16);
static_assert(offsetof(TrampolineData, low_root) == 24);
static_assert(offsetof(TrampolineData, hardware_id) == 28);
static_assert(offsetof(TrampolineData, kernel_root) == 32);
static_assert(offsetof(TrampolineData, stack) == 40);
static_assert(offsetof(TrampolineData, entry) == 48);
static_assert(offsetof(TrampolineData, block) == 56);
static_assert(offsetof(TrampolineData, descriptors) == 64);
static_assert(offsetof(TrampolineData, offer) == 96);

/// Whether a processor may begin with what stands in the data page.
enum class OfferState : u32 { none, made, taken };

/// Selectors of the trampoline's descriptors.
namespace trampoline_selector {

inline constexpr u16 code_32 = 0x08;
inline constexpr u16 data = 0x10;
inline constexpr u16 code_64 = 0x18;

} // namespace trampoline_selector

} // namespace metal
