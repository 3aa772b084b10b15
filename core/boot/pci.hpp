// The kernel's PCI bus: the way to it is found at start-up, the bus itself is enumerated when it is
// first asked for, since a boot that needs no device should not wait for it.
#pragma once

#include "core/boot/command.hpp"
#include "core/device/device.hpp"

namespace twofold::boot {

/// hal::Pci as the device room asks for it.
struct MachineAccess {
    static u32 space_bytes(pci::Address where);
    static u32 read(pci::Address where, u32 offset, u32 width);
    static void write(pci::Address where, u32 offset, u32 width, u32 value);
};

/// What is known of the bus. In memory of the kernel's heap, from the first use on.
struct PciBus {
    explicit PciBus(memory::KernelHeap& heap) : functions(heap) {}

    MachineAccess access;
    pci::Inventory<memory::KernelHeap> functions;
    Result<void> outcome{}; ///< why the enumeration ended early, if it did
};

/// Maps the memory-mapped configuration space that the firmware describes. A machine without is no
/// error; what cannot be mapped is logged and not used. A step of the start-up.
Result<void> open_pci(Kernel& kernel);

/// The bus; enumerated by the first call. Errors: out_of_memory.
/// Without a way to a bus it is empty. No
/// driver runs yet at the first call, and no other context is in it.
Result<PciBus*> pci_bus(Kernel& kernel);

/// Forgets what was enumerated, if anything: the next call of pci_bus looks again. No driver runs.
void forget_pci(Kernel& kernel);

/// The command `lspci`.
u8 show_pci(CommandContext& context);

} // namespace twofold::boot
