// Addresses for functions that come without: what is plugged in while the machine runs was not
// there when firmware gave addresses out.
//
// A base address gets a place in a window of the bridge before the function, aligned to its size,
// the largest first, where no other function behind the bridge has one. Windows stay as they are.
//
// Source: PCI-to-PCI Bridge Architecture Specification 1.2, sections 3.2.5.6 to 3.2.5.10.
#pragma once

#include "core/device/pci/enumeration.hpp"

#include <span>

namespace twofold::pci {

/// Addresses that the bridge passes on to what is behind it, first and last; none: `last` is below
/// `first`.
struct BridgeWindow {
    u64 first = 1;
    u64 last = 0;
};

/// The window for memory, and that for memory which may be read ahead. O(1).
BridgeWindow read_memory_window(FunctionSpace const& bridge);
BridgeWindow read_prefetchable_window(FunctionSpace const& bridge);

/// Whether the function has a base address in memory that was given no address.
bool lacks_addresses(Function const& function);

/// Gives them to the function, which decodes nothing and has no driver. `neighbours` are the others
/// that are known. Errors: no_space; then some may have one. O(base addresses * neighbours).
Result<void> assign_addresses(
    Configuration configuration,
    Address bridge,
    Function const& function,
    std::span<Function const> neighbours);

} // namespace twofold::pci
