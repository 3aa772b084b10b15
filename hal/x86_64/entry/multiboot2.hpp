// The information structure of a Multiboot2 boot loader (GRUB).
//
// Source: Multiboot2 Specification 2.0, section 3.6 (boot information format).
#pragma once

#include "hal/x86_64/entry/discovered.hpp"

namespace metal {

/// What the loader leaves in eax.
inline constexpr u32 multiboot2_magic = 0x36d7'6289;

/// Parses the structure at `address` into `found`, which must be empty. Pure but for `memory`;
/// every length is checked against what contains it, unknown tags are skipped, and each tag is
/// consumed once. Errors: truncated or corrupted where a length contradicts another, out_of_range
/// where memory cannot be seen, no_space where the lists of `found` are too short, not_found where
/// there is no memory map. O(size of the structure).
Result<void> parse_multiboot2(PhysicalMemory memory, PhysAddr address, Discovered& found);

} // namespace metal
