// The ports of the PCI bus that devices are plugged into while the machine runs: root ports of PCI
// Express with a slot each. See pci_bus.hpp.
//
// Source: PCI Express Base Specification 5.0, sections 6.7.3 (events and interrupts), 7.5.3.6 to
// 7.5.3.11 (link and slot registers).
#include "hal/hosted/devices/pci_bus.hpp"

namespace hosted {

namespace {

constexpr u32 port_command = 0x04, port_status = 0x06, port_bus_numbers = 0x18,
              port_memory_window = 0x20, port_prefetchable_window = 0x24, port_capabilities = 0x34;
constexpr u16 port_command_bits = 0x0507;
constexpr u16 port_has_capabilities = 0x10;
constexpr u32 port_bus_master = 4, port_decode_memory = 2;

// The port's capabilities: PCI Express, and MSI with one vector.
constexpr u32 port_express = 0x40, link_status = port_express + 0x12,
              slot_control = port_express + 0x18, slot_status = port_express + 0x1a;
constexpr u32 port_messages = 0x80, port_message_control = port_messages + 2,
              port_message_low = port_messages + 4, port_message_high = port_messages + 8,
              port_message_data = port_messages + 12;
constexpr u32 express_of_a_root_port = 0x0142'0010 | port_messages << 8; // version 2, with a slot
constexpr u32 can_tell_of_link = 1u << 20;
constexpr u32 link_runs_at = 0x11; // one lane, 2.5 GT/s
constexpr u32 link_is_active = 0x2000;
constexpr u32 slot_is_hot = 1u << 6 | 1u << 5 | 1u << 18; // also by surprise; done at once

// Of slot status, and, but for the state, whether to interrupt for it in slot control.
constexpr u32 presence_changed = 1u << 3, device_is_present = 1u << 6, link_changed = 1u << 8;
constexpr u32 presence_enable = 1u << 3, interrupt_enable = 1u << 5, link_enable = 1u << 12;

PciFunction port_function(u32 port) {
    PciFunction function;
    function.define(0, 4, u32{3} << 16 | pci_hosted_vendor);
    function.define(port_command, 2, 0, port_command_bits);
    function.define(port_status, 2, port_has_capabilities);
    function.define(0x08, 4, 0x0604'0000);
    function.define(0x0e, 1, 1);
    function.define(port_bus_numbers, 4, 0, 0x00ff'ffff);
    function.define(port_memory_window, 4, 0, 0xfff0'fff0);
    function.define(
        port_prefetchable_window, 4, 0x0000'fff0); // closed: its limit is below its base
    function.define(port_capabilities, 1, port_express);
    function.define(0x3c, 1, 0, 0xff);
    function.define(port_express, 4, express_of_a_root_port);
    function.define(port_express + 0x0c, 4, can_tell_of_link | link_runs_at);
    function.define(link_status, 2, link_runs_at);
    function.define(port_express + 0x14, 4, slot_is_hot | (port + 1) << 19);
    function.define(slot_control, 2, 0, 0x1fff);
    function.define(port_messages, 4, 0x0080'0005, 0x0001'0000);
    function.define(port_message_low, 4, 0, ~u32{3});
    function.define(port_message_high, 4, 0, ~u32{0});
    function.define(port_message_data, 2, 0, 0xffff);
    return function;
}

/// Whether something has happened that the kernel wants to be interrupted for.
bool is_news(PciFunction const& port) {
    u32 const control = port.read(slot_control, 2);
    u32 const seen = port.read(slot_status, 2);
    bool const is_wanted = ((control & presence_enable) != 0 && (seen & presence_changed) != 0) ||
                           ((control & link_enable) != 0 && (seen & link_changed) != 0);
    return is_wanted && (control & interrupt_enable) != 0;
}

} // namespace

void PciBus::add_ports(u32 count) {
    CHECK(count <= pci_ports_max && m_ports.empty());
    m_fixed = devices();
    for (u32 port = 0; port < count; ++port) {
        m_plugged.push_back({.is_present = false});
        m_functions.emplace_back();
    }
    for (u32 port = 0; port < count; ++port) {
        m_ports.push_back({});
        m_functions.push_back(port_function(port));
    }
}

void PciBus::place_port(u32 port, PhysAddr window) {
    CHECK(port < ports() && is_aligned(window.value, pci_port_window));
    Plugged& slot = m_plugged[m_fixed + port];
    slot.registers = window;
    slot.bytes = pci_device_bytes_max;
    PciFunction& function = m_functions[port_index(port)];
    u32 const bus = first_port_bus + port;
    function.write(port_bus_numbers, 4, bus << 16 | bus << 8);
    u32 const base = static_cast<u32>(window.value >> 16 & 0xfff0);
    function.write(port_memory_window, 4, base << 16 | base);
    function.write(port_command, 2, port_decode_memory);
}

std::optional<u32> PciBus::free_port() const {
    for (u32 number = m_fixed; number < devices(); ++number) {
        if (!m_plugged[number].is_present) {
            return number;
        }
    }
    return std::nullopt;
}

void PciBus::insert(u32 number, PciIdentity const& identity) {
    CHECK(number >= m_fixed && !m_plugged[number].is_present && identity.is_sound());
    Plugged& slot = m_plugged[number];
    slot.messages = identity.messages;
    slot.identity = identity_word(identity);
    slot.is_present = true;
    m_functions[first_plugged + number] = plugged_function(identity);
    tell_of_presence(number - m_fixed);
}

void PciBus::pull(u32 number) {
    CHECK(m_plugged[number].is_present);
    m_plugged[number].is_present = false;
    ++m_plugged[number].generation;
    m_functions[first_plugged + number] = PciFunction();
    if (number >= m_fixed) {
        tell_of_presence(number - m_fixed);
    }
}

/// A device has come to a port, or gone. Whom that interrupts hears of it by settle_ports.
void PciBus::tell_of_presence(u32 port) {
    PciFunction& function = m_functions[port_index(port)];
    bool const is_present = m_plugged[m_fixed + port].is_present;
    u32 const seen = function.read(slot_status, 2) & ~device_is_present;
    function.define(
        slot_status, 2,
        seen | presence_changed | link_changed | (is_present ? device_is_present : 0));
    function.define(link_status, 2, link_runs_at | (is_present ? link_is_active : 0));
}

void PciBus::port_written(u32 port, PciAccess const& access, u32 value) {
    PciFunction& function = m_functions[port_index(port)];
    u32 seen = function.read(slot_status, 2);
    for (u32 i = 0; i < access.width; ++i) {
        u32 const at = access.offset + i;
        if (at == slot_status || at == slot_status + 1) {
            // What has changed is cleared by writing ones.
            u32 const written = (value >> 8 * i & 0xff) << 8 * (at - slot_status);
            seen &= ~(written & (presence_changed | link_changed));
        }
    }
    function.define(slot_status, 2, seen);
}

void PciBus::settle_ports(Sender const& send) {
    for (u32 port = 0; port < ports(); ++port) {
        PciFunction const& function = m_functions[port_index(port)];
        bool const was_news = std::exchange(m_ports[port].is_news, is_news(function));
        bool const may_send = (function.read(port_message_control, 2) & 1) != 0 &&
                              (function.read(port_command, 2) & port_bus_master) != 0;
        if (m_ports[port].is_news && !was_news && may_send) {
            u64 const high = function.read(port_message_high, 4);
            send(
                {high << 32 | function.read(port_message_low, 4)},
                function.read(port_message_data, 2));
        }
    }
}

bool PciBus::has_same_devices(PciBus const& other) const {
    if (devices() != other.devices() || m_fixed != other.m_fixed) {
        return false;
    }
    for (u32 number = 0; number < devices(); ++number) {
        Plugged const& one = m_plugged[number];
        Plugged const& its = other.m_plugged[number];
        if (one.is_present != its.is_present || (one.is_present && one.identity != its.identity)) {
            return false;
        }
    }
    return true;
}

} // namespace hosted
