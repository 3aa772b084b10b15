// MADT records, byte by byte (madt.hpp; ACPI 6.5, section 5.2.12).
#include "core/acpi/acpi.hpp"

namespace twofold::acpi {

namespace {

constexpr usize madt_records = 44;
constexpr u32 flag_legacy_controllers = 1;

constexpr u32 madt_enabled = 1;
constexpr u32 flag_online_capable = 2;

/// Refuses a record that is shorter than its type demands; longer ones may come from later
/// revisions.
Result<ByteReader> fields_of(TableBytes record, usize size_min) {
    if (record.size() < size_min) {
        return Error::corrupted;
    }
    return ByteReader(record);
}

/// The flags word at `offset` (table 5.26).
Result<LineMode> line_mode(ByteReader const& fields, usize offset) {
    constexpr unsigned reserved = 2;
    u16 const flags = TRY(fields.peek_at<u16>(offset));
    unsigned const polarity = flags & 3;
    unsigned const trigger = flags >> 2 & 3;
    if (polarity == reserved || trigger == reserved) {
        return Error::corrupted;
    }
    using Polarity = LineMode::Polarity;
    using Trigger = LineMode::Trigger;
    return LineMode{
        polarity == 0   ? Polarity::bus
        : polarity == 1 ? Polarity::high
                        : Polarity::low,
        trigger == 0   ? Trigger::bus
        : trigger == 1 ? Trigger::edge
                       : Trigger::level};
}

} // namespace

namespace detail {

Result<Processor> read_local_apic(TableBytes record) {
    ByteReader const fields = TRY(fields_of(record, 8));
    u32 const flags = TRY(fields.peek_at<u32>(4));
    return Processor{
        .acpi_id = TRY(fields.peek_at<u8>(2)),
        .apic_id = TRY(fields.peek_at<u8>(3)),
        .enabled = (flags & madt_enabled) != 0,
        .online_capable = (flags & flag_online_capable) != 0,
        .x2apic = false};
}

Result<Processor> read_x2apic(TableBytes record) {
    ByteReader const fields = TRY(fields_of(record, 16));
    u32 const flags = TRY(fields.peek_at<u32>(8));
    return Processor{
        .acpi_id = TRY(fields.peek_at<u32>(12)),
        .apic_id = TRY(fields.peek_at<u32>(4)),
        .enabled = (flags & madt_enabled) != 0,
        .online_capable = (flags & flag_online_capable) != 0,
        .x2apic = true};
}

Result<IoApic> read_io_apic(TableBytes record) {
    ByteReader const fields = TRY(fields_of(record, 12));
    return IoApic{
        .id = TRY(fields.peek_at<u8>(2)),
        .address = {TRY(fields.peek_at<u32>(4))},
        .interrupt_base = TRY(fields.peek_at<u32>(8))};
}

Result<InterruptOverride> read_interrupt_override(TableBytes record) {
    ByteReader const fields = TRY(fields_of(record, 10));
    return InterruptOverride{
        .bus = TRY(fields.peek_at<u8>(2)),
        .source = TRY(fields.peek_at<u8>(3)),
        .interrupt = TRY(fields.peek_at<u32>(4)),
        .mode = TRY(line_mode(fields, 8))};
}

Result<NmiSource> read_nmi_source(TableBytes record) {
    ByteReader const fields = TRY(fields_of(record, 8));
    return NmiSource{.interrupt = TRY(fields.peek_at<u32>(4)), .mode = TRY(line_mode(fields, 2))};
}

Result<LocalNmi> read_local_apic_nmi(TableBytes record) {
    constexpr u8 all = 0xFF;
    ByteReader const fields = TRY(fields_of(record, 6));
    u8 const acpi_id = TRY(fields.peek_at<u8>(2));
    return LocalNmi{
        .acpi_id = acpi_id == all ? LocalNmi::all_processors : acpi_id,
        .input = TRY(fields.peek_at<u8>(5)),
        .mode = TRY(line_mode(fields, 3))};
}

Result<LocalNmi> read_x2apic_nmi(TableBytes record) {
    ByteReader const fields = TRY(fields_of(record, 12));
    return LocalNmi{
        .acpi_id = TRY(fields.peek_at<u32>(4)),
        .input = TRY(fields.peek_at<u8>(8)),
        .mode = TRY(line_mode(fields, 2))};
}

} // namespace detail

Result<Madt> parse_madt(TableBytes table) {
    if (table.size() < madt_records) {
        return Error::corrupted;
    }
    ByteReader const fields(table);
    Madt madt{
        .local_apic = {TRY(fields.peek_at<u32>(36))},
        .has_legacy_controllers = (TRY(fields.peek_at<u32>(40)) & flag_legacy_controllers) != 0,
        .records = table.subspan(madt_records)};
    auto const validate = [&madt](Record const& record) -> Result<void> {
        if (record.type == static_cast<u8>(detail::MadtType::local_apic_address)) {
            ByteReader const address = TRY(fields_of(record.bytes, 12));
            madt.local_apic = {TRY(address.peek_at<u64>(4))};
        }
        auto const ignore = [] {};
        return detail::visit_madt_record(record, ignore);
    };
    if (Result<void> const sound = visit_records(madt.records, validate); !sound) {
        return sound.error();
    }
    return madt;
}

} // namespace twofold::acpi
