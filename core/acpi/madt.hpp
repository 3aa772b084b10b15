// The multiple APIC description table: processors and interrupt controllers (ACPI 6.5,
// section 5.2.12).
#pragma once

#include "core/acpi/tables.hpp"

namespace twofold::acpi {

/// A processor's local APIC (types 0 and 9).
struct Processor {
    u32 acpi_id;
    u32 apic_id;
    bool enabled;
    bool online_capable; ///< not enabled, but the system may start it
    bool x2apic;         ///< described as x2APIC
};

/// An I/O APIC (type 1): its registers and the first global interrupt that it serves.
struct IoApic {
    u32 id;
    PhysAddr address;
    u32 interrupt_base;
};

/// How an interrupt line is driven; `bus` leaves it to the bus's custom.
struct LineMode {
    enum class Polarity : u8 { bus, high, low } polarity;
    enum class Trigger : u8 { bus, edge, level } trigger;
};

/// A legacy interrupt that arrives at another global interrupt (type 2).
struct InterruptOverride {
    u8 bus;    ///< 0: ISA
    u8 source; ///< the legacy number
    u32 interrupt;
    LineMode mode;
};

/// A global interrupt that is non-maskable (type 3).
struct NmiSource {
    u32 interrupt;
    LineMode mode;
};

/// A local interrupt input that is non-maskable (types 4 and 10).
struct LocalNmi {
    static constexpr u32 all_processors = 0xFFFF'FFFF;
    u32 acpi_id; ///< or all_processors
    u8 input;    ///< LINT 0 or 1
    LineMode mode;
};

/// A validated MADT. A view over the table's bytes.
struct Madt {
    PhysAddr local_apic;         ///< the register page; the 64-bit override is already applied
    bool has_legacy_controllers; ///< two 8259s are there and must be masked
    TableBytes records;

    /// Calls `visitor` for each record whose type it accepts, in the table's order. Unknown types
    /// are passed over, as the specification demands. O(records).
    template<class Visitor>
    void visit(Visitor&& visitor) const;
};

/// Reads and validates a whole MADT (as Tables::find returns it). Error::corrupted if any record is
/// malformed. O(length).
Result<Madt> parse_madt(TableBytes table);

namespace detail {

/// The record types that are understood.
enum class MadtType : u8 {
    local_apic = 0,
    io_apic = 1,
    interrupt_override = 2,
    nmi_source = 3,
    local_apic_nmi = 4,
    local_apic_address = 5,
    x2apic = 9,
    x2apic_nmi = 10,
};

Result<Processor> read_local_apic(TableBytes record);
Result<Processor> read_x2apic(TableBytes record);
Result<IoApic> read_io_apic(TableBytes record);
Result<InterruptOverride> read_interrupt_override(TableBytes record);
Result<NmiSource> read_nmi_source(TableBytes record);
Result<LocalNmi> read_local_apic_nmi(TableBytes record);
Result<LocalNmi> read_x2apic_nmi(TableBytes record);

/// Hands `item` to `visitor` if it takes such items.
template<class Visitor, class T>
Result<void> deliver(Visitor& visitor, Result<T> const& item) {
    if (!item) {
        return item.error();
    }
    if constexpr (requires { visitor(item.value()); }) {
        visitor(item.value());
    }
    return {};
}

template<class Visitor>
Result<void> visit_madt_record(Record const& record, Visitor& visitor) {
    switch (static_cast<MadtType>(record.type)) {
    case MadtType::local_apic:
        return deliver(visitor, read_local_apic(record.bytes));
    case MadtType::io_apic:
        return deliver(visitor, read_io_apic(record.bytes));
    case MadtType::interrupt_override:
        return deliver(visitor, read_interrupt_override(record.bytes));
    case MadtType::nmi_source:
        return deliver(visitor, read_nmi_source(record.bytes));
    case MadtType::local_apic_nmi:
        return deliver(visitor, read_local_apic_nmi(record.bytes));
    case MadtType::x2apic:
        return deliver(visitor, read_x2apic(record.bytes));
    case MadtType::x2apic_nmi:
        return deliver(visitor, read_x2apic_nmi(record.bytes));
    case MadtType::local_apic_address: // applied by parse_madt
        break;
    }
    return {};
}

} // namespace detail

template<class Visitor>
void Madt::visit(Visitor&& visitor) const {
    Result<void> const visited = visit_records(
        records, [&](Record const& record) { return detail::visit_madt_record(record, visitor); });
    CHECK(visited.has_value()); // parse_madt has read every record
}

} // namespace twofold::acpi
