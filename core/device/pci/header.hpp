// The header of a function: who it is, and which of the three layouts the rest of it has. Pure but
// for the reads that it is given.
//
// Source: PCI Local Bus Specification 3.0, section 6.1; PCI-to-PCI Bridge Architecture 1.2, chapter
// 3.
#pragma once

#include "core/device/pci/configuration.hpp"
#include "core/device/pci/defects.hpp"

#include <optional>

namespace twofold::pci {

/// Offsets of the registers that more than one part of the room needs.
namespace offset {

inline constexpr u32 command = 0x04;
inline constexpr u32 status = 0x06;
inline constexpr u32 first_bar = 0x10;
inline constexpr u32 primary_bus = 0x18;
inline constexpr u32 secondary_bus = 0x19;
inline constexpr u32 subordinate_bus = 0x1a;

} // namespace offset

enum class HeaderKind : u8 { endpoint, bridge, cardbus, unknown };
std::string_view header_kind_name(HeaderKind kind);

/// What a function is. For reports and for drivers that look for their device.
struct Header {
    u16 vendor = 0;
    u16 device = 0;
    u8 base_class = 0;
    u8 subclass = 0;
    u8 interface = 0;
    u8 revision = 0;
    HeaderKind kind = HeaderKind::unknown;
    bool several_functions = false;
    bool has_capabilities = false;
    u16 subsystem_vendor = 0; ///< endpoints only
    u16 subsystem = 0;
};

/// The buses behind a bridge, as its registers say.
struct BusNumbers {
    u8 primary = 0;     ///< the bus that the bridge is on
    u8 secondary = 0;   ///< the bus right behind it
    u8 subordinate = 0; ///< the last bus behind it

    constexpr bool operator==(BusNumbers const&) const = default;
};

/// Reads the header, or nothing where there is no function. O(1).
std::optional<Header> read_header(FunctionSpace const& space, Defects& defects);

/// The bus numbers of a function whose header is a bridge's. O(1).
BusNumbers read_bus_numbers(FunctionSpace const& space);
void write_bus_numbers(FunctionSpace const& space, BusNumbers const& numbers);

} // namespace twofold::pci
