// The kernel's display: looked for when it is first asked for, in the order of what it can do.
//
// First a virtio-gpu on the PCI bus, then one whose registers lie in memory, then the framebuffer
// that the boot loader has left. One that is there and cannot be opened is logged, and the next is
// tried.
//
// Apart from it stands the text screen of a PC without any of these. That there is one is what the
// boot loader says (Multiboot2, a framebuffer of type 2) or, entered by PVH, what the BIOS noted of
// its video mode: BootInfo::text_buffer.
#pragma once

#include "core/boot/devices.hpp"

namespace twofold::boot {

/// The places of virtio devices in memory that are kept of one machine.
inline constexpr usize mmio_places_max = 64;
using MmioPlaces = FixedVector<device::virtio::MmioPlace, mmio_places_max>;

/// Where virtio devices have their registers in memory: as `virtio_mmio.device=` of the kernel
/// command line says, then as the firmware's DSDT does, each once. What cannot be understood is
/// logged. Context thread. O(command line + DSDT).
MmioPlaces virtio_places(Kernel& kernel);

/// The command `display`.
u8 use_display(CommandContext& context);

} // namespace twofold::boot
