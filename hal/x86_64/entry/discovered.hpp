// What the boot loader told us, whatever its protocol. Texts and modules stay where the loader put
// them; `occupied` says where that is, so that nothing is placed over them.
#pragma once

#include "hal/boot.hpp"
#include "hal/x86_64/entry/physical_memory.hpp"

#include <optional>

namespace metal {

struct Discovered {
    std::string_view protocol;
    std::string_view command_line;
    FixedVector<hal::MemoryRange, 256> memory;
    FixedVector<hal::Module, 16> modules;
    FixedVector<PhysicalRange, 48> occupied;
    std::optional<hal::Framebuffer> framebuffer;
    std::optional<hal::TextBuffer> text_buffer;
    std::optional<PhysAddr> rsdp;
    std::span<std::byte const> rsdp_copy; ///< the loader's copy of it, if it gave that instead
};

inline constexpr Bytes longest_command_line{4096};
inline constexpr u32 text_cell_bytes = 2; ///< of a text screen

/// The kind that an E820 type means: Multiboot2 and PVH use the same numbers (ACPI
/// specification 6.5, section 15, table 15.4). O(1).
constexpr hal::MemoryKind memory_kind(u32 type) {
    switch (type) {
    case 1:
        return hal::MemoryKind::usable;
    case 3:
        return hal::MemoryKind::acpi_reclaimable;
    case 4:
        return hal::MemoryKind::acpi_nvs;
    case 5:
        return hal::MemoryKind::bad;
    default:
        return hal::MemoryKind::reserved;
    }
}

} // namespace metal
