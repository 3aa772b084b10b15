// The interrupts of the PCI bus's devices: what the test device's registers in memory do, and how
// messages are sent. See pci_bus.hpp.
#include "hal/hosted/devices/pci_bus.hpp"

#include <cstring>

namespace hosted {

namespace {

// Offsets in configuration space: the command register, and the capabilities that define_device and
// define_second place.
constexpr u32 command_register = 0x04, msix_control = 0x52, msi_control = 0x42, msi_address = 0x44,
              msi_data = 0x4c, msi_mask = 0x50, msi_pending = 0x54;
constexpr u32 plugged_control = 0x42; // as define_vectors places it
constexpr u32 bus_master = 4;
constexpr u32 msix_enabled = 0x8000, msix_function_masked = 0x4000;
constexpr u32 msi_enabled = 1;

// Of an entry of the MSI-X table (PCI 3.0, section 6.8.2).
constexpr u64 entry_bytes = PciVectors::entry_bytes, data_offset = 8, entry_control_offset = 12;
constexpr u32 entry_masked = 1;
constexpr u64 pending_offset = 0x2000;

template<class T>
T load(std::span<std::byte const> memory, u64 at) {
    T value;
    CHECK(at + sizeof(T) <= memory.size());
    std::memcpy(&value, memory.data() + at, sizeof(T));
    return value;
}

/// Where a function's MSI-X is.
struct VectorPlaces {
    u32 control = 0; ///< in configuration space
    u64 table = 0;   ///< in memory
    u64 pending = 0;
    u32 vectors = 0; ///< 64 at most: one word of pending bits
};

/// Sends the vectors that are pending and no longer masked. Where the function may not send at all,
/// they stay.
void settle(
    PciFunction const& function,
    VectorPlaces const& places,
    std::span<std::byte> memory,
    PciBus::Sender const& send) {
    u32 const control = function.read(places.control, 2);
    bool const may_send = (control & msix_enabled) != 0 && (control & msix_function_masked) == 0 &&
                          (function.read(command_register, 2) & bus_master) != 0;
    u64 pending = load<u64>(memory, places.pending);
    for (u32 vector = 0; may_send && vector < places.vectors; ++vector) {
        u64 const entry = places.table + vector * entry_bytes;
        u64 const bit = u64{1} << vector;
        bool const masked = (load<u32>(memory, entry + entry_control_offset) & entry_masked) != 0;
        if ((pending & bit) != 0 && !masked) {
            pending &= ~bit;
            send({load<u64>(memory, entry)}, load<u32>(memory, entry + data_offset));
        }
    }
    std::memcpy(memory.data() + places.pending, &pending, sizeof(pending));
}

void set_pending(std::span<std::byte> memory, u64 at, u32 vector) {
    u64 const pending = load<u64>(memory, at) | u64{1} << vector;
    std::memcpy(memory.data() + at, &pending, sizeof(pending));
}

} // namespace

void PciBus::settle_msix(std::span<std::byte> memory, Sender const& send) {
    u64 const table = m_memory.vectors.value;
    settle(
        m_functions[device], {msix_control, table, table + pending_offset, pci_test_vectors},
        memory, send);
}

void PciBus::settle_plugged(u32 number, std::span<std::byte> memory, Sender const& send) {
    Plugged const& plugged = m_plugged[number];
    if (plugged.messages.vectors != 0) {
        u64 const base = plugged.registers.value;
        settle(
            m_functions[first_plugged + number],
            {plugged_control, base + plugged.messages.table, base + plugged.messages.pending,
             plugged.messages.vectors},
            memory, send);
    }
}

void PciBus::mask_vectors(u32 number, std::span<std::byte> memory) const {
    Plugged const& plugged = m_plugged[number];
    for (u32 vector = 0; vector < plugged.messages.vectors; ++vector) {
        u64 const at = plugged.registers.value + plugged.messages.table + vector * entry_bytes +
                       entry_control_offset;
        CHECK(at + sizeof(entry_masked) <= memory.size());
        std::memcpy(memory.data() + at, &entry_masked, sizeof(entry_masked));
    }
}

void PciBus::raise_vector(u32 number, u32 vector, std::span<std::byte> memory, Sender const& send) {
    Plugged const& plugged = m_plugged[number];
    PciFunction const& function = m_functions[first_plugged + number];
    bool const is_wanted = vector < plugged.messages.vectors &&
                           (function.read(plugged_control, 2) & msix_enabled) != 0;
    if (is_wanted) {
        set_pending(memory, plugged.registers.value + plugged.messages.pending, vector);
        settle_plugged(number, memory, send);
    }
}

bool PciBus::register_written(
    PciRegister const& where, std::span<std::byte> memory, Sender const& send) {
    bool const is_ours = m_plugged[where.device].messages.covers(where.offset);
    if (is_ours) {
        settle_plugged(where.device, memory, send);
    }
    return is_ours;
}

void PciBus::settle_msi(Sender const& send) {
    PciFunction& function = m_functions[second];
    u32 const control = function.read(msi_control, 2);
    bool const may_send =
        (control & msi_enabled) != 0 && (function.read(command_register, 2) & bus_master) != 0;
    u32 const messages = u32{1} << (control >> 4 & 7);
    u32 pending = function.read(msi_pending, 4);
    u32 const mask = function.read(msi_mask, 4);
    u64 const address =
        u64{function.read(msi_address + 4, 4)} << 32 | function.read(msi_address, 4);
    u32 const data = function.read(msi_data, 2);
    for (u32 vector = 0; may_send && vector < pci_test_messages; ++vector) {
        u32 const bit = u32{1} << vector;
        if ((pending & ~mask & bit) != 0) {
            pending &= ~bit;
            // A device that was given fewer than it has shares them (PCI 3.0, section 6.8.3.4).
            send({address}, (data & ~(messages - 1)) | (vector & (messages - 1)));
        }
    }
    function.define(msi_pending, 4, pending);
}

std::optional<bool>
PciBus::memory_written(std::span<std::byte> memory, PhysAddr address, Sender const& send) {
    u64 const in_vectors = address.value - m_memory.vectors.value;
    if (in_vectors < pci_vectors_bytes) {
        settle_msix(memory, send);
        return std::nullopt;
    }
    u64 const offset = address.value - m_memory.registers.value;
    if (offset >= pci_registers_bytes) {
        return std::nullopt;
    }
    u32 const value = load<u32>(memory, m_memory.registers.value + (offset & ~u64{3}));
    switch (offset) {
    case pci_raise_vector:
        if (value < pci_test_vectors &&
            (m_functions[device].read(msix_control, 2) & msix_enabled)) {
            set_pending(memory, m_memory.vectors.value + pending_offset, value);
            settle_msix(memory, send);
        }
        break;
    case pci_raise_message:
        if (value < pci_test_messages && (m_functions[second].read(msi_control, 2) & msi_enabled)) {
            PciFunction& function = m_functions[second];
            function.define(msi_pending, 4, function.read(msi_pending, 4) | u32{1} << value);
            settle_msi(send);
        }
        break;
    case pci_drive_line:
        return value != 0;
    default:
        break;
    }
    return std::nullopt;
}

} // namespace hosted
