// What the parts of the metal machine share behind the contract.
#pragma once

#include "hal/power_types.hpp"
#include "hal/x86_64/cpu_block.hpp"
#include "hal/x86_64/handover.hpp"
#include "hal/x86_64/kernel/pci_access.hpp"
#include "hal/x86_64/serial.hpp"

namespace metal {

/// The machine's own state: written by the boot processor before the kernel runs, then only read
/// (except the serial port, whose caller is the kernel's console, and the ways to PCI, which guard
/// themselves).
struct Machine {
    Handover const* handover = nullptr;
    SerialPort serial{};
    CpuBlock boot_processor{};
    hal::PowerPlan power{};
    PciAccess pci{};
};
Machine& machine();

/// Loads this processor's descriptor tables: segments, the task state with its interrupt stacks,
/// and all 256 interrupt vectors. From then on every exception reaches the kernel's fault upcall.
void load_descriptors(CpuBlock& processor);

/// Points the GS base at `processor`.
void load_cpu_block(CpuBlock& processor);

} // namespace metal
