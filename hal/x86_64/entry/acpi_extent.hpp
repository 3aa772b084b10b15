// Where the firmware's ACPI tables lie, and how many processors they list. The kernel's own parser
// (core/acpi) reads the tables; here they are only followed far enough to be mapped for it,
// wherever they are.
//
// Source: ACPI specification 6.5, sections 5.2.5 (RSDP), 5.2.7 and 5.2.8 (RSDT, XSDT), 5.2.9
// (FADT), 5.2.12 (MADT).
#pragma once

#include "hal/x86_64/entry/physical_memory.hpp"

#include <optional>

namespace metal {

struct AcpiExtent {
    FixedVector<PhysicalRange, 64> tables; ///< the RSDP and each table
    u32 processors = 0;                    ///< enabled local APICs in the MADT
};

/// The RSDP where a BIOS leaves it: in the first KiB of the extended BIOS data area, or between
/// 0xE0000 and 0xFFFFF, on a 16-byte boundary, its checksum right. O(1): 8,256 places.
std::optional<PhysAddr> find_rsdp(PhysicalMemory memory);

/// Follows the tables from the RSDP. What cannot be seen, or claims an absurd length, is left out;
/// the walk has at most as many steps as the root table has entries. Never fails.
AcpiExtent acpi_extent(PhysicalMemory memory, PhysAddr rsdp);

} // namespace metal
