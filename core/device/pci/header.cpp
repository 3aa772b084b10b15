// See header.hpp.
#include "core/device/pci/header.hpp"

namespace twofold::pci {

namespace {

constexpr u32 vendor_offset = 0x00, device_offset = 0x02, revision_offset = 0x08,
              header_type_offset = 0x0e, subsystem_vendor_offset = 0x2c, subsystem_offset = 0x2e;
constexpr u8 several_functions_bit = 0x80;
constexpr u16 capabilities_bit = 0x10; // of the status register

HeaderKind kind_of(u8 type) {
    return type <= static_cast<u8>(HeaderKind::cardbus) ? static_cast<HeaderKind>(type)
                                                        : HeaderKind::unknown;
}

} // namespace

std::string_view header_kind_name(HeaderKind kind) {
    constexpr std::string_view names[] = {"endpoint", "bridge", "cardbus", "unknown"};
    auto const index = static_cast<usize>(kind);
    return index < std::size(names) ? names[index] : "unknown";
}

std::optional<Header> read_header(FunctionSpace const& space, Defects& defects) {
    u16 const vendor = space.read_16(vendor_offset);
    if (vendor == 0xffff || vendor == 0) { // nobody's; some bridges answer zeros for nothing there
        return std::nullopt;
    }
    u32 const class_and_revision = space.read_32(revision_offset);
    u8 const type = space.read_8(header_type_offset);
    Header header{
        .vendor = vendor,
        .device = space.read_16(device_offset),
        .base_class = static_cast<u8>(class_and_revision >> 24),
        .subclass = static_cast<u8>(class_and_revision >> 16),
        .interface = static_cast<u8>(class_and_revision >> 8),
        .revision = static_cast<u8>(class_and_revision),
        .kind = kind_of(static_cast<u8>(type & ~several_functions_bit)),
        .several_functions = (type & several_functions_bit) != 0,
        .has_capabilities = (space.read_16(offset::status) & capabilities_bit) != 0};
    if (header.kind == HeaderKind::unknown) {
        defects.add(Defect::header_unknown);
    }
    if (header.kind == HeaderKind::endpoint) {
        header.subsystem_vendor = space.read_16(subsystem_vendor_offset);
        header.subsystem = space.read_16(subsystem_offset);
    }
    return header;
}

BusNumbers read_bus_numbers(FunctionSpace const& space) {
    return {
        .primary = space.read_8(offset::primary_bus),
        .secondary = space.read_8(offset::secondary_bus),
        .subordinate = space.read_8(offset::subordinate_bus)};
}

void write_bus_numbers(FunctionSpace const& space, BusNumbers const& numbers) {
    space.write_8(offset::primary_bus, numbers.primary);
    space.write_8(offset::secondary_bus, numbers.secondary);
    space.write_8(offset::subordinate_bus, numbers.subordinate);
}

} // namespace twofold::pci
