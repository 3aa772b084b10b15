// What the firmware of the hosted machine leaves in memory: ACPI tables that describe it. Plain
// host code; it knows nothing of the kernel's parser (core/acpi), which is tested against it.
//
// Source: ACPI Specification 6.5, chapter 5; PCI Firmware Specification 3.3, section 4.1.2; IA-PC
// HPET Specification 1.0a, section 3.2.4.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <vector>

namespace twofold::hosted {

/// A range of physical memory and the NUMA node that it belongs to.
struct AcpiMemory {
    u64 base;
    u64 size;
    u32 node;
};

/// The machine to be described.
struct AcpiConfig {
    u32 processors = 1; ///< APIC ids 0, 1, ...; described as x2APIC from 255 on
    u32 nodes = 1;      ///< processors are divided into blocks of nearly equal size
    std::vector<AcpiMemory> memory{};
    u32 local_apic = 0xFEE0'0000;
    u32 io_apic = 0xFEC0'0000;
    u64 pci_configuration = 0; ///< configuration space of segment 0; 0: no MCFG
    u8 last_bus = 255;
    u64 hpet = 0;         ///< registers of the timer; 0: no HPET table
    bool extended = true; ///< an XSDT; else an RSDT and a root pointer of revision 0
};

/// The bytes to be placed at physical `base_physical` (a multiple of 16): the root pointer first,
/// then XSDT or RSDT, MADT, SRAT, and MCFG and HPET if asked for. Panics on a configuration that no
/// machine can have: no processor or node, a node that is out of range, an RSDT above 4 GiB.
/// O(size).
std::vector<std::byte> build_acpi_tables(u64 base_physical, AcpiConfig const& config);

} // namespace twofold::hosted
