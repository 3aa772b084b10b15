// Virtio devices whose registers lie in memory, as firmware's program, the DSDT, describes them: an
// object with the hardware id LNRO0005 and its resources. Only constants are read, nothing runs.
#pragma once

#include "core/acpi/tables.hpp"

#include <optional>

namespace twofold::acpi {

struct VirtioMmio {
    PhysAddr registers;
    Bytes size;
    u32 line; ///< global system interrupt

    constexpr bool operator==(VirtioMmio const&) const = default;
};

/// Walks the descriptions in a DSDT (ACPI 6.5, sections 6.1.5, 6.2.2 and 6.4; the id is that of
/// "Virtual I/O Device", assigned to Linaro). What is described otherwise than by one fixed
/// range of memory and one extended interrupt is passed over.
class VirtioMmioReader {
public:
    explicit VirtioMmioReader(TableBytes dsdt) : m_table(dsdt) {}

    /// The next one, or none at the end. O(length) for all of them.
    std::optional<VirtioMmio> next();

private:
    TableBytes m_table;
    usize m_at = table_header_size;
};

} // namespace twofold::acpi
