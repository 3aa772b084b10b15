// The text screen that a PC's BIOS has left, for entries that do not speak of one (PVH): what it
// noted of its video mode in the BIOS data area.
//
// Source: IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference, "BIOS
// data area", bytes 0x449 to 0x464.
#pragma once

#include "hal/x86_64/entry/discovered.hpp"

namespace metal {

/// The colour text screen of mode 2 or 3, where the data area says that the BIOS is in one, and
/// all that it says fits together. O(1).
std::optional<hal::TextBuffer> find_bios_text(PhysicalMemory memory);

} // namespace metal
