// Registers of devices, in memory and behind ports. Each operation is one access of exactly that
// width, in program order with all others.
#pragma once

#include "core/base/base.hpp"

#include <concepts>

#include <machine/io.hpp>

namespace hal {

using namespace twofold;

/// `address` is where the kernel sees the register: mapped uncached, aligned to the width. A port
/// that nobody answers at reads all ones, and what is written there is lost; so too all ports of a
/// machine that has none. Any context; O(1).
template<class I>
concept IoContract = requires(VirtAddr address, u16 port, u8 b, u16 h, u32 w, u64 d) {
    { I::read_8(address) } -> std::same_as<u8>;
    { I::read_16(address) } -> std::same_as<u16>;
    { I::read_32(address) } -> std::same_as<u32>;
    { I::read_64(address) } -> std::same_as<u64>;
    { I::write_8(address, b) } -> std::same_as<void>;
    { I::write_16(address, h) } -> std::same_as<void>;
    { I::write_32(address, w) } -> std::same_as<void>;
    { I::write_64(address, d) } -> std::same_as<void>;
    { I::read_port_8(port) } -> std::same_as<u8>;
    { I::read_port_16(port) } -> std::same_as<u16>;
    { I::read_port_32(port) } -> std::same_as<u32>;
    { I::write_port_8(port, b) } -> std::same_as<void>;
    { I::write_port_16(port, h) } -> std::same_as<void>;
    { I::write_port_32(port, w) } -> std::same_as<void>;
};
static_assert(IoContract<Io>, "the machine's Io does not keep the contract");

} // namespace hal
