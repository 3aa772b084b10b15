// PCI configuration space on metal.
//
// Source: PCI Firmware Specification 3.3, section 4.1 (the windows); PCI Local Bus Specification
// 3.0, section 3.2.2.3.2 (mechanism #1: an address at port 0xCF8, the data at 0xCFC).
#include "hal/pci.hpp"

#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"

#include <isa/device_access.hpp>

namespace hal {

namespace {

using metal::PciAccess;
using metal::WordLockGuard;

constexpr u16 address_port = 0xcf8;
constexpr u16 data_port = 0xcfc;
constexpr u32 enable = u32{1} << 31;

PciAccess& access() {
    return metal::machine().pci;
}

/// Whether the address port keeps what is written to it, as nothing else does there. What it held
/// is put back.
bool probe_ports() {
    WordLockGuard const ports(access().ports_busy);
    u32 const before = metal::read_port_32(address_port);
    metal::write_port_32(address_port, enable);
    bool const answers = metal::read_port_32(address_port) == enable;
    metal::write_port_32(address_port, before);
    return answers;
}

bool has_ports() {
    PciAccess::Ports known = access().ports.load(relaxed);
    if (known == PciAccess::Ports::unknown) {
        known = probe_ports() ? PciAccess::Ports::present : PciAccess::Ports::absent;
        access().ports.store(known, relaxed); // whoever probes finds the same
    }
    return known == PciAccess::Ports::present;
}

PciWindow const* find_window(u16 segment, u8 bus) {
    u32 const count = access().window_count.load(acquire);
    for (PciWindow const& window : std::span(access().windows, count)) {
        if (window.segment == segment && bus >= window.first_bus && bus <= window.last_bus) {
            return &window;
        }
    }
    return nullptr;
}

VirtAddr place_in(PciWindow const& window, PciAddress where, u32 offset) {
    u64 const bus = u64{where.bus} - window.first_bus;
    return window.base +
           Bytes{bus << 20 | u64{where.device} << 15 | u64{where.function} << 12 | offset};
}

void select(PciAddress where, u32 offset) {
    metal::write_port_32(
        address_port, enable | u32{where.bus} << 16 | u32{where.device} << 11 |
                          u32{where.function} << 8 | (offset & ~u32{3}));
}

bool is_reached(PciAddress where, u32 offset, u32 width) {
    return where.is_possible() &&
           is_pci_access(offset, width, Pci::space_bytes(where.segment, where.bus));
}

/// The port that shows the byte at `offset` of what is selected.
u16 port_of(u32 offset) {
    return static_cast<u16>(data_port + (offset & 3));
}

} // namespace

u32 Pci::space_bytes(u16 segment, u8 bus) {
    if (find_window(segment, bus) != nullptr) {
        return pci_extended_space_bytes;
    }
    return segment == 0 && has_ports() ? pci_space_bytes : 0;
}

u8 Pci::read_8(PciAddress function, u32 offset) {
    if (!is_reached(function, offset, sizeof(u8))) {
        return 0xff;
    }
    if (PciWindow const* const window = find_window(function.segment, function.bus)) {
        return isa::DeviceAccess::read_8(place_in(*window, function, offset));
    }
    WordLockGuard const ports(access().ports_busy);
    select(function, offset);
    return metal::read_port(port_of(offset));
}

u16 Pci::read_16(PciAddress function, u32 offset) {
    if (!is_reached(function, offset, sizeof(u16))) {
        return 0xffff;
    }
    if (PciWindow const* const window = find_window(function.segment, function.bus)) {
        return isa::DeviceAccess::read_16(place_in(*window, function, offset));
    }
    WordLockGuard const ports(access().ports_busy);
    select(function, offset);
    return metal::read_port_16(port_of(offset));
}

u32 Pci::read_32(PciAddress function, u32 offset) {
    if (!is_reached(function, offset, sizeof(u32))) {
        return 0xffff'ffff;
    }
    if (PciWindow const* const window = find_window(function.segment, function.bus)) {
        return isa::DeviceAccess::read_32(place_in(*window, function, offset));
    }
    WordLockGuard const ports(access().ports_busy);
    select(function, offset);
    return metal::read_port_32(data_port);
}

void Pci::write_8(PciAddress function, u32 offset, u8 value) {
    if (!is_reached(function, offset, sizeof(value))) {
        return;
    }
    if (PciWindow const* const window = find_window(function.segment, function.bus)) {
        isa::DeviceAccess::write_8(place_in(*window, function, offset), value);
        return;
    }
    WordLockGuard const ports(access().ports_busy);
    select(function, offset);
    metal::write_port(port_of(offset), value);
}

void Pci::write_16(PciAddress function, u32 offset, u16 value) {
    if (!is_reached(function, offset, sizeof(value))) {
        return;
    }
    if (PciWindow const* const window = find_window(function.segment, function.bus)) {
        isa::DeviceAccess::write_16(place_in(*window, function, offset), value);
        return;
    }
    WordLockGuard const ports(access().ports_busy);
    select(function, offset);
    metal::write_port_16(port_of(offset), value);
}

void Pci::write_32(PciAddress function, u32 offset, u32 value) {
    if (!is_reached(function, offset, sizeof(value))) {
        return;
    }
    if (PciWindow const* const window = find_window(function.segment, function.bus)) {
        isa::DeviceAccess::write_32(place_in(*window, function, offset), value);
        return;
    }
    WordLockGuard const ports(access().ports_busy);
    select(function, offset);
    metal::write_port_32(data_port, value);
}

Result<void> Pci::attach(PciWindow window) {
    if (window.first_bus > window.last_bus || !is_aligned(window.base, page_size)) {
        return Error::invalid_argument;
    }
    PciAccess& ways = access();
    u32 const count = ways.window_count.load(relaxed);
    for (PciWindow const& other : std::span(ways.windows, count)) {
        if (other.segment == window.segment && other.first_bus <= window.last_bus &&
            window.first_bus <= other.last_bus) {
            return Error::already_exists;
        }
    }
    if (count == PciAccess::windows_max) {
        return Error::no_space;
    }
    ways.windows[count] = window;
    ways.window_count.store(count + 1, release);
    return {};
}

} // namespace hal
