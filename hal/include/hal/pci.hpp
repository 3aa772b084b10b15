// PCI configuration space. Which functions there are, and what their registers mean, is for core/
// to find out; the machine only reaches them.
#pragma once

#include "hal/pci_types.hpp"

#include <concepts>

#include <machine/pci.hpp>

namespace hal {

/// An access that the machine cannot make (the function is absent or impossible, the offset beyond
/// its space or not a multiple of the width) reads all ones and writes nothing, as on the bus.
/// Any context, unless said otherwise; O(1).
template<class P>
concept PciContract = requires(
    PciAddress function, PciWindow window, u16 segment, u8 bus, u32 offset, u8 b, u16 h, u32 w) {
    /// How many bytes of a function's configuration space are reached on that bus: 0 (the machine
    /// has no way there), pci_space_bytes or pci_extended_space_bytes.
    { P::space_bytes(segment, bus) } -> std::same_as<u32>;
    { P::read_8(function, offset) } -> std::same_as<u8>;
    { P::read_16(function, offset) } -> std::same_as<u16>;
    { P::read_32(function, offset) } -> std::same_as<u32>;
    { P::write_8(function, offset, b) } -> std::same_as<void>;
    { P::write_16(function, offset, h) } -> std::same_as<void>;
    { P::write_32(function, offset, w) } -> std::same_as<void>;
    /// From now on the buses of `window` are reached through it. One context at a time, before any
    /// access to them. Errors: invalid_argument (the buses are reversed, the address is not
    /// page-aligned), no_space, already_exists (a bus is reached by another window), not_supported
    /// (the machine reaches its buses in a way of its own).
    { P::attach(window) } -> std::same_as<Result<void>>;
};
static_assert(PciContract<Pci>, "the machine's Pci does not keep the contract");

} // namespace hal
