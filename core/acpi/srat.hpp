// The system resource affinity table: which processors and memory belong together (ACPI 6.5,
// section 5.2.16).
#pragma once

#include "core/acpi/tables.hpp"

namespace twofold::acpi {

/// The most memory ranges that a SRAT may list.
inline constexpr usize memory_affinity_count_max = 256;

/// A processor's proximity domain (types 0 and 2).
struct ProcessorAffinity {
    u32 apic_id;
    u32 domain;
};

/// A memory range's proximity domain (type 1). The range is not empty and does not wrap.
struct MemoryAffinity {
    PhysAddr base;
    Bytes size;
    u32 domain;
    bool hot_pluggable;
    bool non_volatile;
};

/// A validated SRAT. A view over the table's bytes.
struct Srat {
    TableBytes records;

    /// Calls `visitor` for each enabled record whose type it accepts, in the table's order.
    /// O(records).
    template<class Visitor>
    void visit(Visitor&& visitor) const;
};

/// Reads and validates a whole SRAT. Error::corrupted if a record is malformed, a range leaves the
/// physical address space, or ranges of two domains overlap; Error::no_space above
/// memory_affinity_count_max ranges. O(length + ranges^2); 6 KiB of stack.
Result<Srat> parse_srat(TableBytes table);

namespace detail {

enum class SratType : u8 { local_apic = 0, memory = 1, x2apic = 2 };

// Each yields nothing if the record is marked as not enabled.
Result<std::optional<ProcessorAffinity>> read_local_apic_affinity(TableBytes record);
Result<std::optional<ProcessorAffinity>> read_x2apic_affinity(TableBytes record);
Result<std::optional<MemoryAffinity>> read_memory_affinity(TableBytes record);

template<class Visitor, class T>
Result<void> deliver_enabled(Visitor& visitor, Result<std::optional<T>> const& item) {
    if (!item) {
        return item.error();
    }
    if constexpr (requires { visitor(*item.value()); }) {
        if (item.value()) {
            visitor(*item.value());
        }
    }
    return {};
}

template<class Visitor>
Result<void> visit_srat_record(Record const& record, Visitor& visitor) {
    switch (static_cast<SratType>(record.type)) {
    case SratType::local_apic:
        return deliver_enabled(visitor, read_local_apic_affinity(record.bytes));
    case SratType::memory:
        return deliver_enabled(visitor, read_memory_affinity(record.bytes));
    case SratType::x2apic:
        return deliver_enabled(visitor, read_x2apic_affinity(record.bytes));
    }
    return {};
}

} // namespace detail

template<class Visitor>
void Srat::visit(Visitor&& visitor) const {
    Result<void> const visited = visit_records(
        records, [&](Record const& record) { return detail::visit_srat_record(record, visitor); });
    CHECK(visited.has_value()); // parse_srat has read every record
}

} // namespace twofold::acpi
