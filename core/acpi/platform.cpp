// HPET, MCFG and FADT, byte by byte (platform.hpp).
#include "core/acpi/acpi.hpp"

namespace twofold::acpi {

namespace {

constexpr usize generic_address_size = 12;

Result<GenericAddress> read_generic_address(TableBytes table, usize offset) {
    ByteReader const fields(table);
    u8 const space = TRY(fields.peek_at<u8>(offset));
    GenericAddress const address{
        .space = static_cast<GenericAddress::Space>(space),
        .bit_width = TRY(fields.peek_at<u8>(offset + 1)),
        .bit_offset = TRY(fields.peek_at<u8>(offset + 2)),
        .address = TRY(fields.peek_at<u64>(offset + 4))};
    bool const known = space <= static_cast<u8>(GenericAddress::Space::pci_configuration);
    if (!known && address.address != 0) {
        return Error::corrupted;
    }
    return address;
}

bool reaches(TableBytes table, usize offset, usize size) {
    return table.size() >= offset && table.size() - offset >= size;
}

// MCFG.
constexpr usize mcfg_entries = 44;
constexpr usize mcfg_entry_size = 16;
constexpr u64 bus_size = 1u << 20;

// FADT, by revision 1 (section 5.2.9 marks what came later).
constexpr usize fadt_size_first = 116;
constexpr usize fadt_dsdt = 40;
constexpr usize fadt_sci = 46;
constexpr usize fadt_smi_command = 48;
constexpr usize fadt_acpi_enable = 52;
constexpr usize fadt_pm1a_control = 64;
constexpr usize fadt_pm1b_control = 68;
constexpr usize fadt_pm1_control_bytes = 89;
constexpr usize fadt_century = 108;
constexpr usize fadt_boot_architecture = 109;
constexpr usize fadt_flags = 112;
constexpr usize fadt_reset_register = 116;
constexpr usize fadt_reset_value = 128;
constexpr usize fadt_x_dsdt = 140;
constexpr usize fadt_x_pm1a_control = 172;
constexpr usize fadt_x_pm1b_control = 184;
constexpr usize fadt_sleep_control = 244;
constexpr u32 flag_reset_register = 1u << 10;
constexpr u32 flag_hardware_reduced = 1u << 20;
constexpr u16 boot_without_cmos_clock = 1u << 5;

/// A PM1 control block: the extended field if it is there and not zero, else the port of
/// revision 1.
Result<GenericAddress> read_pm1_control(TableBytes table, usize extended, usize legacy) {
    if (reaches(table, extended, generic_address_size)) {
        GenericAddress const address = TRY(read_generic_address(table, extended));
        if (address.address != 0) {
            return address;
        }
    }
    ByteReader const fields(table);
    u8 const bytes = TRY(fields.peek_at<u8>(fadt_pm1_control_bytes));
    return GenericAddress{
        .space = GenericAddress::Space::io,
        .bit_width = static_cast<u8>(bytes * 8),
        .bit_offset = 0,
        .address = TRY(fields.peek_at<u32>(legacy))};
}

} // namespace

Result<Hpet> parse_hpet(TableBytes table) {
    constexpr usize size = 56;
    if (table.size() < size) {
        return Error::corrupted;
    }
    ByteReader const fields(table);
    u32 const block = TRY(fields.peek_at<u32>(36));
    GenericAddress const registers = TRY(read_generic_address(table, 40));
    if (registers.address == 0) {
        return Error::corrupted;
    }
    if (registers.space != GenericAddress::Space::memory) {
        return Error::not_supported;
    }
    return Hpet{
        .address = {registers.address},
        .number = TRY(fields.peek_at<u8>(52)),
        .comparator_count = static_cast<u8>((block >> 8 & 0x1F) + 1),
        .minimum_tick = TRY(fields.peek_at<u16>(53))};
}

Mcfg::Mcfg(TableBytes entries) : m_entries(entries) {
    CHECK(entries.size() % mcfg_entry_size == 0);
}

usize Mcfg::count() const {
    return m_entries.size() / mcfg_entry_size;
}

PciConfigurationSpace Mcfg::entry(usize index) const {
    CHECK(index < count());
    ByteReader const fields(m_entries.subspan(index * mcfg_entry_size, mcfg_entry_size));
    return {
        .base = {fields.peek_at<u64>(0).value()},
        .segment = fields.peek_at<u16>(8).value(),
        .first_bus = fields.peek_at<u8>(10).value(),
        .last_bus = fields.peek_at<u8>(11).value()};
}

Result<Mcfg> parse_mcfg(TableBytes table) {
    if (table.size() < mcfg_entries || (table.size() - mcfg_entries) % mcfg_entry_size != 0) {
        return Error::corrupted;
    }
    Mcfg const mcfg(table.subspan(mcfg_entries));
    for (usize i = 0; i < mcfg.count(); ++i) {
        PciConfigurationSpace const space = mcfg.entry(i);
        constexpr u64 limit = u64{1} << physical_address_bits;
        u64 const end = (u64{space.last_bus} + 1) * bus_size;
        if (space.first_bus > space.last_bus || space.base.value >= limit ||
            end > limit - space.base.value) {
            return Error::corrupted;
        }
    }
    return mcfg;
}

Result<Fadt> parse_fadt(TableBytes table) {
    if (table.size() < fadt_size_first) {
        return Error::corrupted;
    }
    ByteReader const fields(table);
    u32 const flags = TRY(fields.peek_at<u32>(fadt_flags));
    u16 const boot_architecture = TRY(fields.peek_at<u16>(fadt_boot_architecture));
    Fadt fadt{
        .dsdt = {TRY(fields.peek_at<u32>(fadt_dsdt))},
        .sci_interrupt = TRY(fields.peek_at<u16>(fadt_sci)),
        .smi_command_port = TRY(fields.peek_at<u32>(fadt_smi_command)),
        .acpi_enable = TRY(fields.peek_at<u8>(fadt_acpi_enable)),
        .pm1a_control = TRY(read_pm1_control(table, fadt_x_pm1a_control, fadt_pm1a_control)),
        .pm1b_control = TRY(read_pm1_control(table, fadt_x_pm1b_control, fadt_pm1b_control)),
        .hardware_reduced = (flags & flag_hardware_reduced) != 0,
        .has_cmos_clock = (boot_architecture & boot_without_cmos_clock) == 0,
        .century_register = TRY(fields.peek_at<u8>(fadt_century)),
        .sleep_control = {},
        .reset_register = {},
        .reset_value = 0};
    if (reaches(table, fadt_x_dsdt, sizeof(u64))) {
        u64 const extended = TRY(fields.peek_at<u64>(fadt_x_dsdt));
        fadt.dsdt = extended != 0 ? PhysAddr{extended} : fadt.dsdt;
    }
    if (fadt.hardware_reduced && reaches(table, fadt_sleep_control, generic_address_size)) {
        GenericAddress const sleep = TRY(read_generic_address(table, fadt_sleep_control));
        if (sleep.address != 0) {
            fadt.sleep_control = sleep;
        }
    }
    if ((flags & flag_reset_register) != 0 && reaches(table, fadt_reset_value, 1)) {
        GenericAddress const reset = TRY(read_generic_address(table, fadt_reset_register));
        if (reset.address != 0) {
            fadt.reset_register = reset;
            fadt.reset_value = TRY(fields.peek_at<u8>(fadt_reset_value));
        }
    }
    return fadt;
}

} // namespace twofold::acpi
