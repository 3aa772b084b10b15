// The start information of the PVH protocol (QEMU's -kernel, Xen).
//
// Source: Xen's docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h.
#pragma once

#include "hal/x86_64/entry/discovered.hpp"

namespace metal {

/// The first word of the structure.
inline constexpr u32 pvh_magic = 0x336e'c578;

/// Parses the structure at `address` into `found`, which must be empty. Pure but for `memory`.
/// Errors: corrupted (the magic), not_supported (version 0: no memory map), truncated, out_of_range
/// (memory that cannot be seen), no_space (the lists of `found` are too short), not_found (no
/// memory). O(entries).
Result<void> parse_pvh(PhysicalMemory memory, PhysAddr address, Discovered& found);

} // namespace metal
