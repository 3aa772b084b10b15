// See pci_bus.hpp.
#include "hal/hosted/devices/pci_bus.hpp"

#include <algorithm>

namespace hosted {

namespace {

// Offsets of registers, as the specifications give them.
constexpr u32 identity = 0x00, command = 0x04, status = 0x06, class_code = 0x08, header_type = 0x0e,
              bar_0 = 0x10, bar_2 = 0x18, capabilities = 0x34, bus_numbers = 0x18,
              memory_window = 0x20, interrupt_line = 0x3c;

constexpr u16 vendor = pci_hosted_vendor;
constexpr u16 command_bits = 0x0507; // decoding, bus master, errors, no legacy interrupt
constexpr u16 has_capabilities = 0x10;
constexpr u32 prefetchable_64 = 0xc; // flags of a base address
constexpr u8 several_functions = 0x80;

void define_identity(
    PciFunction& function, u16 device, u32 class_and_revision, u8 type, u16 maker = vendor) {
    function.define(identity, 4, u32{device} << 16 | maker);
    function.define(command, 2, 0, command_bits);
    function.define(class_code, 4, class_and_revision);
    function.define(header_type, 1, type);
    function.define(interrupt_line, 1, 0, 0xff);
}

void define_bridge(PciFunction& function) {
    define_identity(function, 2, 0x0604'0000, 1);
    function.define(bus_numbers, 4, 0, 0x00ff'ffff);
    function.define(memory_window, 4, 0, 0xfff0'fff0);
}

void define_device(PciFunction& function) {
    define_identity(function, 0x10, 0xff00'0001, several_functions);
    function.define(status, 2, has_capabilities);
    function.define(bar_0, 4, 0, ~(pci_registers_bytes - 1));
    function.define(bar_2, 8, prefetchable_64, ~(pci_vectors_bytes - 1));
    function.define(0x2c, 4, u32{1} << 16 | vendor);
    function.define(capabilities, 1, 0x40);
    // Power management, state bits writable.
    function.define(0x40, 4, 0x0003'5001);
    function.define(0x44, 4, 0x0000'0008, 0x3);
    // MSI-X: 8 vectors, table at 0 and pending bits at 0x2000 of base address 2.
    function.define(0x50, 4, 0x0007'6011, 0xc000'0000);
    function.define(0x54, 4, 0x0000'0002);
    function.define(0x58, 4, 0x0000'2002);
    // PCI Express, version 2, an endpoint.
    function.define(0x60, 4, 0x0002'0010);
    function.define(0x100, 4, 0x0001'0003); // serial number
    function.define(0x104, 4, 0x0000'0001);
    function.define(0x108, 4, 0x2f0d'0010);
}

/// MSI with one vector and a 64-bit address, of what is plugged in.
constexpr u32 message_control = 0x42, message_low = 0x44, message_high = 0x48, message_data = 0x4c;
constexpr u32 message_on = 1, mastering = 4;
constexpr u32 messages_at = 0x40, capabilities_from = 0x50;
constexpr u8 vendor_specific = 0x09;

void define_one_message(PciFunction& function) {
    function.define(messages_at, 4, 0x0080'0005, 0x0001'0000);
    function.define(message_low, 4, 0, ~u32{3});
    function.define(message_high, 4, 0, ~u32{0});
    function.define(message_data, 2, 0, 0xffff);
}

void define_vectors(PciFunction& function, PciVectors const& messages) {
    function.define(messages_at, 4, (messages.vectors - 1) << 16 | 0x0011, 0xc000'0000);
    function.define(messages_at + 4, 4, messages.table); // of base address 0
    function.define(messages_at + 8, 4, messages.pending);
}

/// One behind the other, the one of messages first.
void define_capabilities(PciFunction& function, std::span<std::vector<u8> const> all) {
    u32 at = capabilities_from;
    u32 link = messages_at + 1;
    for (std::vector<u8> const& each : all) {
        u32 const bytes = static_cast<u32>(each.size()) + 3;
        function.define(link, 1, at);
        function.define(at, 1, vendor_specific);
        function.define(at + 2, 1, bytes);
        for (u32 i = 3; i < bytes; ++i) {
            function.define(at + i, 1, each[i - 3]);
        }
        link = at + 1;
        at += static_cast<u32>(align_up(u64{bytes}, u64{4}));
    }
}

void define_second(PciFunction& function) {
    define_identity(function, 0x11, 0xff00'0001, several_functions);
    function.define(status, 2, has_capabilities);
    function.define(0x2c, 4, u32{2} << 16 | vendor);
    function.define(capabilities, 1, 0x40);
    // MSI: 4 vectors, 64-bit address, a mask for each vector.
    function.define(0x40, 4, 0x0184'0005, 0x0071'0000);
    function.define(0x44, 4, 0, ~u32{3});
    function.define(0x48, 4, 0, ~u32{0});
    function.define(0x4c, 2, 0, 0xffff);
    function.define(0x50, 4, 0, 0xf);
    function.define(0x54, 4, 0);
}

} // namespace

PciFunction PciBus::plugged_function(PciIdentity const& id) {
    PciFunction function;
    define_identity(function, id.device, id.class_and_revision, 0, id.vendor);
    function.define(status, 2, has_capabilities);
    function.define(bar_0, 4, 0, ~(id.register_bytes - 1));
    function.define(0x2c, 4, u32{id.subsystem} << 16 | id.vendor);
    function.define(capabilities, 1, messages_at);
    if (id.messages.vectors == 0) {
        define_one_message(function);
    } else {
        define_vectors(function, id.messages);
    }
    define_capabilities(function, id.capabilities);
    return function;
}

void PciFunction::define(u32 offset, u32 width, u64 value, u64 writable) {
    CHECK(offset + width <= m_value.size() && width <= sizeof(u64));
    for (u32 i = 0; i < width; ++i) {
        m_value[offset + i] = static_cast<u8>(value >> 8 * i);
        m_writable[offset + i] = static_cast<u8>(writable >> 8 * i);
    }
}

u32 PciFunction::read(u32 offset, u32 width) const {
    CHECK(hal::is_pci_access(offset, width, hal::pci_extended_space_bytes));
    u32 value = 0;
    for (u32 i = 0; i < width; ++i) {
        value |= u32{m_value[offset + i]} << 8 * i;
    }
    return value;
}

void PciFunction::write(u32 offset, u32 width, u32 value) {
    CHECK(hal::is_pci_access(offset, width, hal::pci_extended_space_bytes));
    for (u32 i = 0; i < width; ++i) {
        u8 const bits = m_writable[offset + i];
        u8 const wanted = static_cast<u8>(value >> 8 * i);
        m_value[offset + i] = static_cast<u8>((m_value[offset + i] & ~bits) | (wanted & bits));
    }
}

PciBus::PciBus() : m_functions(first_plugged) {
    define_identity(m_functions[host_bridge], 1, 0x0600'0000, 0);
    define_bridge(m_functions[bridge]);
    define_device(m_functions[device]);
    define_second(m_functions[second]);
}

void PciBus::configure(PciDeviceMemory const& memory) {
    CHECK(is_aligned(memory.registers.value, pci_registers_bytes));
    CHECK(is_aligned(memory.vectors.value, pci_vectors_bytes));
    m_memory = memory;
    constexpr u32 decode_memory = 2;
    m_functions[bridge].write(bus_numbers, 4, 0x0001'0100);
    m_functions[bridge].write(memory_window, 4, 0x0010'0010); // 1 to 2 MiB
    m_functions[bridge].write(command, 2, decode_memory);
    PciFunction& test_device = m_functions[device];
    test_device.write(bar_0, 4, static_cast<u32>(memory.registers.value));
    test_device.write(bar_2, 4, static_cast<u32>(memory.vectors.value));
    test_device.write(bar_2 + 4, 4, static_cast<u32>(memory.vectors.value >> 32));
    test_device.write(command, 2, decode_memory);
}

void PciBus::plug(PciIdentity const& identity) {
    CHECK(devices() < pci_devices_max && identity.is_sound());
    m_functions.push_back(plugged_function(identity));
    m_plugged.push_back(
        {.bytes = identity.register_bytes,
         .messages = identity.messages,
         .identity = identity_word(identity)});
}

void PciBus::place(u32 number, PhysAddr where) {
    CHECK(is_aligned(where.value, m_plugged[number].bytes));
    constexpr u32 decode_memory = 2;
    m_plugged[number].registers = where;
    PciFunction& function = m_functions[first_plugged + number];
    function.write(bar_0, 4, static_cast<u32>(where.value));
    function.write(command, 2, decode_memory);
}

PhysAddr PciBus::memory_end() const {
    PhysAddr end = std::max(
        m_memory.registers + Bytes{pci_registers_bytes},
        m_memory.vectors + Bytes{pci_vectors_bytes});
    for (u32 number = 0; number < devices(); ++number) {
        Plugged const& each = m_plugged[number];
        end =
            std::max(end, each.registers + Bytes{number < fixed() ? each.bytes : pci_port_window});
    }
    return end;
}

u32 PciBus::domain(hal::PciAddress function) const {
    auto const found = find(function);
    bool const is_plugged = found && *found >= first_plugged && !port_at(*found);
    return is_plugged ? static_cast<u32>(*found - first_plugged) : hal::DmaDomain::none;
}

std::optional<PciRegister> PciBus::register_at(PhysAddr address) const {
    for (u32 number = 0; number < devices(); ++number) {
        u64 const offset = address.value - m_plugged[number].registers.value;
        if (offset < m_plugged[number].bytes) {
            return PciRegister{number, offset};
        }
    }
    return std::nullopt;
}

bool PciBus::is_master(u32 number) const {
    return m_plugged[number].is_present &&
           (m_functions[first_plugged + number].read(command, 2) & mastering) != 0;
}

std::optional<hal::Message> PciBus::message(u32 number) const {
    PciFunction const& function = m_functions[first_plugged + number];
    bool const has_one = m_plugged[number].messages.vectors == 0;
    if (!has_one || !is_master(number) || (function.read(message_control, 2) & message_on) == 0) {
        return std::nullopt;
    }
    u64 const high = function.read(message_high, 4);
    return hal::Message{
        {high << 32 | function.read(message_low, 4)}, function.read(message_data, 2)};
}

/// The function that answers at `where`: on bus 0, or behind the bridge as it is set.
std::optional<usize> PciBus::find(hal::PciAddress where) const {
    if (where.segment != 0) {
        return std::nullopt;
    }
    if (where.bus == 0) {
        if (where.function != 0 || where.device >= first_port_device + ports()) {
            return std::nullopt;
        }
        return where.device >= first_port_device ? port_index(where.device - first_port_device)
               : where.device == 0               ? host_bridge
                                                 : bridge;
    }
    u32 const secondary = m_functions[bridge].read(bus_numbers + 1, 1);
    if (where.bus != secondary) {
        return find_behind_port(where);
    }
    if (where.device == 0) {
        bool const known = where.function <= 1;
        return known ? std::optional<usize>(where.function == 0 ? device : second) : std::nullopt;
    }
    bool const is_plugged =
        where.function == 0 && where.device <= fixed() && m_plugged[where.device - 1].is_present;
    return is_plugged ? std::optional<usize>(first_plugged + where.device - 1) : std::nullopt;
}

/// The device in a slot, by the bus number of its port as it is set.
std::optional<usize> PciBus::find_behind_port(hal::PciAddress where) const {
    for (u32 port = 0; port < ports(); ++port) {
        u32 const number = m_fixed + port;
        if (m_functions[port_index(port)].read(bus_numbers + 1, 1) == where.bus) {
            bool const is_device =
                where.device == 0 && where.function == 0 && m_plugged[number].is_present;
            return is_device ? std::optional<usize>(first_plugged + number) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<u32> PciBus::port_at(usize index) const {
    bool const is_port = index >= port_index(0) && ports() != 0;
    return is_port ? std::optional(static_cast<u32>(index - port_index(0))) : std::nullopt;
}

u32 PciBus::read(PciAccess const& access) const {
    auto const found = find(access.function);
    return found ? m_functions[*found].read(access.offset, access.width) : ~u32{0};
}

void PciBus::write(
    PciAccess const& access, u32 value, std::span<std::byte> memory, Sender const& send) {
    auto const found = find(access.function);
    if (!found) {
        return;
    }
    m_functions[*found].write(access.offset, access.width, value);
    // What was held back may go now.
    if (auto const port = port_at(*found)) {
        port_written(*port, access, value);
        settle_ports(send);
    } else if (*found == device) {
        settle_msix(memory, send);
    } else if (*found == second) {
        settle_msi(send);
    } else if (*found >= first_plugged) {
        settle_plugged(static_cast<u32>(*found - first_plugged), memory, send);
    }
}

} // namespace hosted
