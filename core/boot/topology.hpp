// What firmware's tables say of processors, interrupt controllers and lines (MADT, SRAT). Read
// without touching what they describe; hostile tables leave entries out and never more.
#pragma once

#include "core/acpi/acpi.hpp"
#include "hal/interrupt_types.hpp"

namespace twofold::boot {

class Kernel;

/// A processor as firmware names it. Its number in the kernel is its place in the list.
struct ProcessorEntry {
    u32 hardware_id = 0; ///< of its interrupt controller
    u32 acpi_id = 0;
    u32 node = 0; ///< NUMA node, dense from 0
};

/// The processors, the boot processor first (ACPI 6.5, section 5.2.12.1: firmware lists it so).
struct Topology {
    static constexpr usize processors_max = 256;

    FixedVector<ProcessorEntry, processors_max> processors;
    u32 left_out = 0; ///< that the machine has beyond these

    /// How many there are; at least 1. O(1).
    u32 count() const { return processors.empty() ? 1 : static_cast<u32>(processors.size()); }
};

/// The processors that `madt` says are enabled; each hardware id once. O(n^2).
Topology read_topology(acpi::Madt const& madt);

/// A legacy interrupt of the ISA bus, and where it arrives.
struct LegacyLine {
    hal::Line line;
    hal::Trigger trigger = hal::Trigger::edge;
    hal::Polarity polarity = hal::Polarity::high;
};

/// What the MADT says of the ways that interrupts take.
struct InterruptDescription {
    static constexpr usize legacy_lines = 16;

    struct IoController {
        PhysAddr address;
        u32 first_line = 0;
    };
    PhysAddr local;
    FixedVector<IoController, hal::InterruptPlan::io_controllers_max> io;
    FixedVector<hal::InterruptPlan::LocalNonMaskable, hal::InterruptPlan::local_inputs_max>
        non_maskable;
    LegacyLine legacy[legacy_lines]; ///< by their number on the ISA bus
    FixedVector<hal::Line, hal::InterruptPlan::local_inputs_max> non_maskable_lines;
    u32 left_out = 0; ///< entries that are doubled, senseless or more than there is room for

    /// Every legacy interrupt at the line of its own number, and no controller.
    InterruptDescription();
};

/// Entries that name a processor which `topology` does not have are left out. O(n^2).
InterruptDescription read_interrupts(acpi::Madt const& madt, Topology const& topology);

/// Reads the processors, as many as the command line and the machine allow. A machine without the
/// table has one. A step of the start-up.
Result<void> open_topology(Kernel& kernel);

} // namespace twofold::boot
