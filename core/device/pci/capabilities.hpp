// The two linked lists of a function's capabilities: the classic one in its first 256 bytes and the
// extended one behind them. Pure but for the reads that it is given.
//
// Source: PCI Local Bus Specification 3.0, section 6.7; PCI Express Base Specification 5.0, section
// 7.6.
#pragma once

#include "core/device/pci/header.hpp"

namespace twofold::pci {

/// Identifiers of the classic list that the kernel acts on (PCI Code and ID Assignment 1.11).
namespace capability_id {

inline constexpr u16 msi = 0x05;
inline constexpr u16 pci_express = 0x10;
inline constexpr u16 msix = 0x11;

} // namespace capability_id

struct Capability {
    u16 id = 0;
    u16 offset = 0; ///< of its first byte; 256 and above in the extended list

    bool is_extended() const { return offset >= hal::pci_space_bytes; }
    constexpr bool operator==(Capability const&) const = default;
};

/// The most that are kept of one function: every place of the classic list, and 16 more.
inline constexpr usize capabilities_max = 64;
using Capabilities = FixedVector<Capability, capabilities_max>;

/// Follows both lists, the extended one where the classic one names PCI Express. Each capability is
/// visited once; a pointer that leads back, into the header or to all ones ends its list with a
/// defect. O(capabilities).
Capabilities read_capabilities(FunctionSpace const& space, Header const& header, Defects& defects);

/// A port of PCI Express with a slot that devices come to while the machine runs (PCI Express Base
/// Specification 5.0, section 7.5.3).
struct SlotInfo {
    u16 offset = 0; ///< of the capability
    u32 capabilities = 0;
};

/// What the capability of PCI Express says of a bridge's slot; nothing where it has none that is
/// hot. O(1).
std::optional<SlotInfo> read_slot(FunctionSpace const& space, Capability const& express);

/// The first capability of that number in the classic list.
std::optional<Capability> find_capability(std::span<Capability const> list, u16 id);

} // namespace twofold::pci
