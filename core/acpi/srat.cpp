// SRAT records, byte by byte (srat.hpp; ACPI 6.5, section 5.2.16).
#include "core/acpi/acpi.hpp"

namespace twofold::acpi {

namespace {

constexpr usize srat_records = 48;
constexpr u32 srat_enabled = 1;
constexpr u32 srat_hot_pluggable = 2;
constexpr u32 srat_non_volatile = 4;

/// Ranges seen so far, to find those that two domains claim.
using Ranges = FixedVector<MemoryAffinity, memory_affinity_count_max>;

Result<void> add_range(Ranges& ranges, MemoryAffinity const& range) {
    for (MemoryAffinity const& other : ranges) {
        if (other.domain != range.domain &&
            ranges_overlap(
                other.base.value, other.size.value, range.base.value, range.size.value)) {
            return Error::corrupted;
        }
    }
    return ranges.push_back(range);
}

} // namespace

namespace detail {

Result<std::optional<ProcessorAffinity>> read_local_apic_affinity(TableBytes record) {
    if (record.size() < 16) {
        return Error::corrupted;
    }
    ByteReader const fields(record);
    if ((TRY(fields.peek_at<u32>(4)) & srat_enabled) == 0) {
        return std::optional<ProcessorAffinity>{};
    }
    u32 const high = TRY(fields.peek_at<u32>(8)) >> 8; // bytes 9 to 11
    return std::optional(ProcessorAffinity{
        .apic_id = TRY(fields.peek_at<u8>(3)), .domain = high << 8 | TRY(fields.peek_at<u8>(2))});
}

Result<std::optional<ProcessorAffinity>> read_x2apic_affinity(TableBytes record) {
    if (record.size() < 24) {
        return Error::corrupted;
    }
    ByteReader const fields(record);
    if ((TRY(fields.peek_at<u32>(12)) & srat_enabled) == 0) {
        return std::optional<ProcessorAffinity>{};
    }
    return std::optional(ProcessorAffinity{
        .apic_id = TRY(fields.peek_at<u32>(8)), .domain = TRY(fields.peek_at<u32>(4))});
}

Result<std::optional<MemoryAffinity>> read_memory_affinity(TableBytes record) {
    constexpr u64 limit = u64{1} << physical_address_bits;
    if (record.size() < 40) {
        return Error::corrupted;
    }
    ByteReader const fields(record);
    u32 const flags = TRY(fields.peek_at<u32>(28));
    u64 const base = TRY(fields.peek_at<u64>(8));
    u64 const size = TRY(fields.peek_at<u64>(16));
    if ((flags & srat_enabled) == 0 || size == 0) { // firmware leaves spare records empty
        return std::optional<MemoryAffinity>{};
    }
    if (base >= limit || size > limit - base) {
        return Error::corrupted;
    }
    return std::optional(MemoryAffinity{
        .base = {base},
        .size = {size},
        .domain = TRY(fields.peek_at<u32>(2)),
        .hot_pluggable = (flags & srat_hot_pluggable) != 0,
        .non_volatile = (flags & srat_non_volatile) != 0});
}

} // namespace detail

Result<Srat> parse_srat(TableBytes table) {
    if (table.size() < srat_records) {
        return Error::corrupted;
    }
    Srat const srat{.records = table.subspan(srat_records)};
    Ranges ranges;
    Result<void> disjoint;
    auto collect = [&](MemoryAffinity const& range) {
        if (disjoint) {
            disjoint = add_range(ranges, range);
        }
    };
    auto const validate = [&](Record const& record) -> Result<void> {
        if (Result<void> const sound = detail::visit_srat_record(record, collect); !sound) {
            return sound;
        }
        return disjoint;
    };
    if (Result<void> const sound = visit_records(srat.records, validate); !sound) {
        return sound.error();
    }
    return srat;
}

} // namespace twofold::acpi
