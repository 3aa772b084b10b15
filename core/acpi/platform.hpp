// The small tables: HPET (timer), MCFG (PCI configuration space) and the FADT (fixed registers).
#pragma once

#include "core/acpi/tables.hpp"

namespace twofold::acpi {

/// A register in one of the machine's address spaces (ACPI 6.5, section 5.2.3.2).
struct GenericAddress {
    enum class Space : u8 { memory = 0, io = 1, pci_configuration = 2 } space;
    u8 bit_width;
    u8 bit_offset;
    u64 address; ///< 0: there is no such register
};

/// The high-precision event timer (IA-PC HPET Specification 1.0a, section 3.2.4).
struct Hpet {
    PhysAddr address;
    u8 number;
    u8 comparator_count;
    u16 minimum_tick; ///< the shortest period that does not lose interrupts, in main counter ticks
};

/// Error::corrupted, or Error::not_supported if its registers are not in memory. O(1).
Result<Hpet> parse_hpet(TableBytes table);

/// Memory-mapped configuration space of a range of buses (PCI Firmware Specification 3.3, 4.1.2).
struct PciConfigurationSpace {
    PhysAddr base; ///< of bus 0, even where the range starts at a later bus
    u16 segment;
    u8 first_bus;
    u8 last_bus;
};

/// A validated MCFG. A view over the table's bytes.
class Mcfg {
public:
    explicit Mcfg(TableBytes entries);

    usize count() const;
    /// The entry at `index`, below count(). O(1).
    PciConfigurationSpace entry(usize index) const;

private:
    TableBytes m_entries;
};

/// Error::corrupted if its length is wrong, or a range of buses is reversed or leaves the physical
/// address space. O(length).
Result<Mcfg> parse_mcfg(TableBytes table);

/// What the kernel uses of the fixed description table (ACPI 6.5, section 5.2.9). Addresses prefer
/// the extended fields.
struct Fadt {
    PhysAddr dsdt;
    u16 sci_interrupt;
    u32 smi_command_port; ///< 0: the system is in ACPI mode for good
    u8 acpi_enable;       ///< the value that the command port takes
    GenericAddress pm1a_control;
    GenericAddress pm1b_control;
    bool hardware_reduced; ///< there are no fixed registers at all
    bool has_cmos_clock;   ///< nothing says that there is none (IAPC_BOOT_ARCH, section 5.2.9.3)
    u8 century_register;   ///< of the CMOS clock; 0: none
    std::optional<GenericAddress>
        sleep_control; ///< of a hardware-reduced machine (section 4.8.3.7)
    std::optional<GenericAddress> reset_register;
    u8 reset_value;
};

/// Error::corrupted if the table is shorter than its first revision, or a register lies in a space
/// that the specification does not know. O(1).
Result<Fadt> parse_fadt(TableBytes table);

} // namespace twofold::acpi
