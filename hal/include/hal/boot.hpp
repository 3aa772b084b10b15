// What a machine hands the kernel once, at its one door: memory, command line, modules, firmware
// tables. The kernel copies what it keeps; the spans stay valid for the kernel's whole life.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace hal {

using namespace twofold;

enum class MemoryKind : u8 {
    usable,           ///< free RAM
    reserved,         ///< not to be touched
    acpi_reclaimable, ///< firmware tables; usable once they have been read
    acpi_nvs,         ///< firmware's own, preserved across sleep
    bad,              ///< defective RAM
    boot,             ///< the kernel image, its page tables and its start-up data
    module,           ///< modules handed over by the boot loader
};
inline constexpr usize memory_kind_count = 7;

/// A physical range as the firmware or boot loader reports it. May be unaligned, may overlap
/// others.
struct MemoryRange {
    PhysAddr base;
    Bytes size;
    MemoryKind kind;
};

/// A file that the boot loader placed in memory. `name` is its command line.
struct Module {
    PhysAddr base;
    Bytes size;
    std::string_view name;
};

/// A linear framebuffer. `pitch` is bytes per line; shifts and widths are in bits of a pixel.
struct Framebuffer {
    PhysAddr base;
    u32 width;
    u32 height;
    u32 pitch;
    u8 bits_per_pixel;
    u8 red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};

/// A text screen of a PC: cells of a character of code page 437 and an attribute, 16 bits each.
/// `pitch` is bytes per row.
struct TextBuffer {
    PhysAddr base;
    u32 columns;
    u32 rows;
    u32 pitch;
};

struct BootInfo {
    std::string_view machine;  ///< "host", "sim" or "metal"; for reports, never for decisions
    std::string_view protocol; ///< how the kernel was entered: "pvh", "multiboot2", "hosted"
    std::string_view command_line;
    std::span<MemoryRange const> memory;
    std::span<Module const> modules;
    std::optional<Framebuffer> framebuffer;
    std::optional<TextBuffer> text_buffer{}; ///< that firmware or boot loader has left
    std::optional<PhysAddr> rsdp;            ///< ACPI root pointer
    std::span<std::byte const> symbols; ///< the image's symbol table (core/trace), empty if absent
    VirtAddr image_base;                ///< where the image's first byte runs
    Bytes image_size;
    VirtAddr stack_base; ///< lowest byte of the stack that `kernel_start` runs on
    Bytes stack_size;
};

} // namespace hal
