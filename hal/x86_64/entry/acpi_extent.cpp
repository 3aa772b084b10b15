// Following the ACPI tables. See acpi_extent.hpp.
#include "hal/x86_64/entry/acpi_extent.hpp"

namespace metal {

namespace {

constexpr u64 rsdp_signature = 0x2052'5450'2044'5352; // "RSD PTR "
constexpr usize rsdp_old_size = 20;
constexpr usize rsdp_size = 36;
constexpr usize table_header_size = 36;
constexpr u32 largest_table = 16 << 20;
constexpr u32 signature(char const (&name)[5]) {
    return static_cast<u32>(name[0]) | static_cast<u32>(name[1]) << 8 |
           static_cast<u32>(name[2]) << 16 | static_cast<u32>(name[3]) << 24;
}

bool is_rsdp(std::span<std::byte const> bytes) {
    if (peek<u64>(bytes, 0).value_or(0) != rsdp_signature || bytes.size() < rsdp_old_size) {
        return false;
    }
    u8 sum = 0;
    for (std::byte const byte : bytes.first(rsdp_old_size)) {
        sum = static_cast<u8>(sum + static_cast<u8>(byte));
    }
    return sum == 0;
}

std::optional<PhysAddr> find_rsdp_in(PhysicalMemory memory, PhysAddr base, Bytes size) {
    std::span<std::byte const> const area = memory.view(base, size);
    for (usize at = 0; at + rsdp_old_size <= area.size(); at += 16) {
        // The first letter alone rules out nearly every place.
        if (area[at] == std::byte{'R'} && is_rsdp(area.subspan(at))) {
            return base + Bytes{at};
        }
    }
    return std::nullopt;
}

/// The whole table at `address`, empty if there is none.
std::span<std::byte const> table_at(PhysicalMemory memory, PhysAddr address) {
    std::span<std::byte const> const header = memory.view(address, {table_header_size});
    u32 const length = peek<u32>(header, 4).value_or(0);
    if (length < table_header_size || length > largest_table) {
        return {};
    }
    return memory.view(address, {length});
}

/// Notes a table; the list is long enough for any machine known, and one too many is only not
/// mapped.
void note(AcpiExtent& extent, PhysAddr address, Bytes size) {
    static_cast<void>(extent.tables.push_back({address, size}).has_value());
}

void follow_fadt(PhysicalMemory memory, std::span<std::byte const> fadt, AcpiExtent& extent) {
    constexpr usize dsdt = 40, extended_dsdt = 140;
    u64 address = peek<u64>(fadt, extended_dsdt).value_or(0);
    if (address == 0) {
        address = peek<u32>(fadt, dsdt).value_or(0);
    }
    std::span<std::byte const> const table = table_at(memory, {address});
    if (address != 0 && !table.empty()) {
        note(extent, {address}, {table.size()});
    }
}

u32 count_processors(std::span<std::byte const> madt) {
    constexpr u8 local_apic = 0, local_x2apic = 9;
    u32 count = 0;
    usize at = table_header_size + 8;
    while (at + 2 <= madt.size()) {
        u8 const type = peek<u8>(madt, at).value();
        u8 const length = peek<u8>(madt, at + 1).value();
        if (length < 2) {
            break;
        }
        usize const flags_at = type == local_apic ? at + 4 : at + 8;
        bool const is_processor = type == local_apic || type == local_x2apic;
        if (is_processor && (peek<u32>(madt, flags_at).value_or(0) & 1) != 0) {
            ++count;
        }
        at += length;
    }
    return count;
}

void follow(PhysicalMemory memory, PhysAddr address, AcpiExtent& extent) {
    std::span<std::byte const> const table = table_at(memory, address);
    if (table.empty()) {
        return;
    }
    note(extent, address, {table.size()});
    u32 const name = peek<u32>(table, 0).value();
    if (name == signature("FACP")) {
        follow_fadt(memory, table, extent);
    } else if (name == signature("APIC")) {
        extent.processors += count_processors(table);
    }
}

} // namespace

std::optional<PhysAddr> find_rsdp(PhysicalMemory memory) {
    constexpr PhysAddr data_area_segment{0x40e};
    u64 const data_area = peek<u16>(memory.view(data_area_segment, {2}), 0).value_or(0) * u64{16};
    if (data_area >= 0x400) {
        std::optional<PhysAddr> const found = find_rsdp_in(memory, {data_area}, {1024});
        if (found) {
            return found;
        }
    }
    return find_rsdp_in(memory, {0xe'0000}, {0x2'0000});
}

AcpiExtent acpi_extent(PhysicalMemory memory, PhysAddr rsdp) {
    AcpiExtent extent;
    std::span<std::byte const> root_pointer = memory.view(rsdp, {rsdp_size});
    if (root_pointer.empty()) {
        root_pointer = memory.view(rsdp, {rsdp_old_size});
    }
    if (!is_rsdp(root_pointer)) {
        return extent;
    }
    note(extent, rsdp, {root_pointer.size()});
    u8 const revision = peek<u8>(root_pointer, 15).value();
    u64 const extended = revision >= 2 ? peek<u64>(root_pointer, 24).value_or(0) : 0;
    usize const entry_size = extended != 0 ? 8 : 4;
    PhysAddr const root{extended != 0 ? extended : peek<u32>(root_pointer, 16).value()};
    std::span<std::byte const> const table = table_at(memory, root);
    if (table.empty()) {
        return extent;
    }
    note(extent, root, {table.size()});
    for (usize at = table_header_size; at + entry_size <= table.size(); at += entry_size) {
        u64 const address =
            entry_size == 8 ? peek<u64>(table, at).value() : u64{peek<u32>(table, at).value()};
        follow(memory, {address}, extent);
    }
    return extent;
}

} // namespace metal
