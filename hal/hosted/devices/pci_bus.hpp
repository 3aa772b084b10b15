// The PCI bus of the hosted machine: a host bridge, a bridge behind which a bus lies, and on that a
// small test device of two functions. The device's memory is a reserved piece of simulated memory
// (firmware.hpp), which its model and the kernel share: the kernel reads it as it is; each write
// through hal::Io is told to the model afterwards, which does what the register is for.
//
//     0:00.0  host bridge
//     0:01.0  bridge to bus 1
//     1:00.0  test device: registers (4 KiB, 32 bit), MSI-X of 8 vectors in 16 KiB (64 bit,
//             prefetchable), PCI Express with a serial number
//     1:00.1  test device's second function: MSI of 4 vectors with masks
//     1:01.0  the first device of the configuration (pci_device.hpp), and so on up to 1:1f.0; MSI
//     of
//             one vector, or MSI-X whose table and pending bits lie among the device's registers
//
//     0:02.0  root ports with a slot each (pci_ports.cpp), as many as the configuration has; behind
//             each a bus with nothing or one device, which comes and goes while the machine runs
//
// What the test device is for: to raise interrupts when the kernel wants one. A number written to
// the register pci_raise_vector raises that vector of the MSI-X table; one written to
// pci_raise_message, that message of the second function's MSI; pci_drive_line holds its interrupt
// line while it is not 0. A vector that is masked stays pending, in the pending bits, until it is
// unmasked; nothing is sent while the function is no bus master, and nothing noted while the
// capability is off.
//
// A register is a value and which of its bits can be written; sizing of base addresses follows from
// that. What the bridge forwards follows from its registers as they are.
//
// Invariant: plain copyable data; a snapshot of the machine holds a copy. Not modelled: a base
// address register that is written does not move the memory behind it.
//
// Source: PCI Local Bus Specification 3.0, chapter 6, section 6.8 for messages; PCI-to-PCI Bridge
// Architecture 1.2, chapter 3; PCI Express Base Specification 5.0, sections 7.5 and 7.9.3. The
// vendor's number is nobody's.
#pragma once

#include "hal/hosted/devices/pci_access.hpp"
#include "hal/hosted/devices/pci_device.hpp"
#include "hal/hosted/state_archive.hpp"
#include "hal/interrupt_types.hpp"

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace hosted {

/// The configuration space of one function.
class PciFunction {
public:
    /// Sets the register of `width` bytes at `offset`, and which of its bits can be written.
    void define(u32 offset, u32 width, u64 value, u64 writable = 0);

    /// An access as is_pci_access allows it. O(width).
    u32 read(u32 offset, u32 width) const;
    void write(u32 offset, u32 width, u32 value);

private:
    std::array<u8, hal::pci_extended_space_bytes> m_value{};
    std::array<u8, hal::pci_extended_space_bytes> m_writable{};
};

/// Where the firmware has put the test device's memory.
struct PciDeviceMemory {
    PhysAddr registers; ///< pci_registers_bytes, aligned to that
    PhysAddr vectors;   ///< pci_vectors_bytes, aligned to that
};
inline constexpr u64 pci_registers_bytes = 4096;
inline constexpr u64 pci_vectors_bytes = 16384;
inline constexpr u32 pci_test_vectors = 8;
inline constexpr u32 pci_test_messages = 4;
/// The registers of the test device, 32 bits each, in the memory of its first base address.
inline constexpr u64 pci_raise_vector = 8, pci_raise_message = 12, pci_drive_line = 16;
/// The line that it drives.
inline constexpr u32 pci_test_line = 16;
/// What the first register of the test device reads: "2FLD".
inline constexpr u32 pci_test_signature = 0x444c'4632;

/// Where a port's window lies is a multiple of that, and so long it is.
inline constexpr u64 pci_port_window = u64{1} << 20;

/// A register of a device that is plugged in.
struct PciRegister {
    u32 device = 0; ///< in the order in which they were plugged in
    u64 offset = 0;
};

class PciBus {
public:
    PciBus();

    /// Writes `data` to `address`, as a device does to raise an interrupt.
    using Sender = std::function<void(PhysAddr address, u32 data)>;

    /// One more device, at most pci_devices_max; they are numbered from 0. Its registers lie
    /// nowhere yet.
    void plug(PciIdentity const& identity);
    /// All of them: those, then the slots of ports, whether something is in them or not.
    u32 devices() const { return static_cast<u32>(m_plugged.size()); }
    /// Those that came by `plug`.
    u32 fixed() const { return m_ports.empty() ? devices() : m_fixed; }

    /// So many ports, behind all devices that are plugged in so; once, at most pci_ports_max. Each
    /// has a slot, whose registers lie in a window of its own.
    void add_ports(u32 count);
    u32 ports() const { return static_cast<u32>(m_ports.size()); }
    /// What firmware does for a port: its bus number, and where its window is.
    void place_port(u32 port, PhysAddr window);
    /// The number of a slot that has no device; nothing where each has one.
    std::optional<u32> free_port() const;
    /// A device comes to a slot, as after a reset: the kernel has to give it an address.
    void insert(u32 number, PciIdentity const& identity);
    /// The device is gone: all of its configuration space reads all ones.
    void pull(u32 number);
    bool is_present(u32 number) const { return m_plugged[number].is_present; }
    /// How often a device was pulled out there.
    u32 generation(u32 number) const { return m_plugged[number].generation; }
    /// Ports that have something to tell interrupt, where the kernel wants that.
    void settle_ports(Sender const& send);
    /// Whether both have devices of the same kinds at the same places.
    bool has_same_devices(PciBus const& other) const;
    /// Size and place of a device's registers, which the firmware chooses.
    u64 register_bytes(u32 number) const { return m_plugged[number].bytes; }
    PhysAddr registers(u32 number) const { return m_plugged[number].registers; }
    void place(u32 number, PhysAddr where);
    /// Where the devices' memory ends. O(devices).
    PhysAddr memory_end() const;
    /// The number of the DmaDomain of a function: that of its device, or DmaDomain::none.
    /// O(devices).
    u32 domain(hal::PciAddress function) const;
    /// O(devices).
    std::optional<PciRegister> register_at(PhysAddr address) const;
    /// Whether the device may reach memory, and what it writes where to raise its interrupt;
    /// nothing: the kernel does not want it. O(1).
    bool is_master(u32 number) const;
    std::optional<hal::Message> message(u32 number) const;
    /// All vectors of a device's MSI-X are masked, as after a reset. `memory` is the machine's.
    void mask_vectors(u32 number, std::span<std::byte> memory) const;

    /// What the firmware does before the kernel runs: bus numbers, base addresses, decoding.
    void configure(PciDeviceMemory const& memory);

    /// One access of the kernel's. A read of what is not there is all ones, a write is lost.
    u32 read(PciAccess const& access) const;

    void write(PciAccess const& access, u32 value, std::span<std::byte> memory, Sender const& send);

    /// The kernel has written to `address` of `memory`, through a register's view. The answer is
    /// what the device does to its line, if anything. O(vectors).
    std::optional<bool>
    memory_written(std::span<std::byte> memory, PhysAddr address, Sender const& send);

    /// A device raises a vector of its MSI-X: it is sent, or pending while it is masked, or lost
    /// where MSI-X is off. O(vectors).
    void raise_vector(u32 number, u32 vector, std::span<std::byte> memory, Sender const& send);
    /// The kernel has written to a register of a device. Whether it was one of the bus's own, its
    /// table of vectors, of which the device is not told. O(vectors).
    bool
    register_written(PciRegister const& where, std::span<std::byte> memory, Sender const& send);

    void archive(StateArchive& state) {
        state(m_functions);
        state(m_plugged);
        state(m_ports);
        state(m_fixed);
        state(m_memory);
    }

private:
    void settle_msix(std::span<std::byte> memory, Sender const& send);
    void settle_msi(Sender const& send);

    static constexpr usize host_bridge = 0, bridge = 1, device = 2, second = 3, first_plugged = 4;

    struct Plugged {
        u64 bytes = 0;
        PhysAddr registers{};
        PciVectors messages{};
        u64 identity = 0;
        u32 generation = 0;
        bool is_present = true;
        bool unused[3]{}; ///< a copy has no bytes of chance
    };
    struct Port {
        bool is_news = false; ///< that the kernel wants, when it was looked at last
    };
    static constexpr u8 first_port_bus = 2, first_port_device = 2;

    static PciFunction plugged_function(PciIdentity const& identity);
    static u64 identity_word(PciIdentity const& id) {
        return u64{id.vendor} << 48 | u64{id.device} << 32 | id.register_bytes;
    }
    usize port_index(u32 port) const { return first_plugged + devices() + port; }
    std::optional<u32> port_at(usize index) const;
    std::optional<usize> find_behind_port(hal::PciAddress where) const;
    void tell_of_presence(u32 port);
    void port_written(u32 port, PciAccess const& access, u32 value);

    void settle_plugged(u32 number, std::span<std::byte> memory, Sender const& send);

    std::optional<usize> find(hal::PciAddress where) const;

    std::vector<PciFunction> m_functions; ///< the ones above, those that are plugged in, the ports
    std::vector<Plugged> m_plugged;
    std::vector<Port> m_ports;
    u32 m_fixed = 0; ///< once there are ports
    PciDeviceMemory m_memory{};
};

} // namespace hosted
