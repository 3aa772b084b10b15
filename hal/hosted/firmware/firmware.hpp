// The hosted machine's firmware: what lies in memory when the kernel is entered.
//
// A PC's memory map, genuine page tables, stacks with guard pages, the BootInfo with all that it
// points to, and ACPI tables. All of it is in simulated memory, so a copy of that memory holds it
// too.
#pragma once

#include "hal/hosted/devices/pci_bus.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/machine_config.hpp"
#include "hal/hosted/physical_memory.hpp"

#include <expected>
#include <string>

namespace hosted::firmware {

/// The boot stack's usable size. Kernel code with every sanitizer's additions must fit.
inline constexpr u64 boot_stack_bytes = u64{256} << 10;

/// Fills `memory`, which is all zero, configures `pci`, and sets the boot state of `cpu`: root,
/// stacks, layout and the context that the first run continues. The error is one line: what did not
/// fit.
std::expected<void, std::string>
prepare(PhysicalMemory const& memory, MachineConfig const& config, GuestCpu& cpu, PciBus& pci);

} // namespace hosted::firmware
