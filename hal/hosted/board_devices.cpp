// How a board's plugged-in devices reach it. See board.hpp.
#include "hal/hosted/board.hpp"

#include "hal/hosted/board_locks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace hosted {

std::string problem_of(std::span<std::shared_ptr<PciDevice> const> devices) {
    if (devices.size() > pci_devices_max) {
        return fmt::format(
            "a hosted machine has at most {} devices, not {}", pci_devices_max, devices.size());
    }
    for (auto const& device : devices) {
        PciIdentity const identity = device->identity();
        if (!identity.has_sound_size()) {
            return fmt::format(
                "the registers of a device take a power of two from {} to {} bytes, not {}",
                page_size.value, pci_device_bytes_max, identity.register_bytes);
        }
        if (!identity.has_sound_messages() || !identity.fits()) {
            return fmt::format(
                "device {:04x}:{:04x} describes itself in a way that no configuration space holds",
                identity.vendor, identity.device);
        }
    }
    return {};
}

/// The board, as one of its devices may use it.
class Board::Port final : public DeviceBus {
public:
    Port(Board& board, u32 device) : m_board(board), m_device(device) {}

    std::span<std::byte> registers() override {
        PciBus const& pci = m_board.m_pci;
        return m_board.memory().subspan(
            pci.registers(m_device).value, pci.register_bytes(m_device));
    }
    bool read(DmaAddress from, std::span<std::byte> to) override {
        auto const at = found(from, to.size(), hal::DmaDirection::to_device);
        if (at && !to.empty()) {
            std::memcpy(to.data(), m_board.memory().data() + *at, to.size());
        }
        return at.has_value();
    }
    bool write(DmaAddress to, std::span<std::byte const> from) override {
        auto const at = found(to, from.size(), hal::DmaDirection::from_device);
        if (at && !from.empty()) {
            m_board.physical_memory().note_reach(*at, from.size());
            std::memcpy(m_board.memory().data() + *at, from.data(), from.size());
        }
        return at.has_value();
    }
    std::span<std::byte>
    reach(DmaAddress address, u64 bytes, hal::DmaDirection direction) override {
        auto const at = found(address, bytes, direction);
        if (!at) {
            return {};
        }
        if (direction != hal::DmaDirection::to_device) {
            m_board.physical_memory().note_reach(*at, bytes);
        }
        return m_board.memory().subspan(*at, bytes);
    }
    void interrupt() override {
        if (auto const message = m_board.m_pci.message(m_device)) {
            m_board.deliver_message(message->address, message->data);
        }
    }
    void interrupt(u32 vector) override {
        m_board.m_pci.raise_vector(m_device, vector, m_board.memory(), m_board.sender());
    }
    void call_later(u64 delay_ns, u64 tag) override {
        u32 const generation = m_board.m_pci.generation(m_device);
        m_board.m_owner->call_later(m_device | generation << generation_shift, delay_ns, tag);
    }
    u64 now_ns() const override { return m_board.m_owner->time_ns(); }
    std::optional<u64> fault(DeviceFault fault) override {
        return m_board.m_owner->device_fault(fault);
    }

    static constexpr u32 generation_shift = 8; ///< so that what waits for one that is gone is known

private:
    /// Where in memory that is; nothing where the device may not do that with all of it.
    std::optional<u64> found(DmaAddress at, u64 bytes, hal::DmaDirection direction) const {
        u64 const size = m_board.memory().size();
        u64 const place = at.value - dma_shift; // of a physical address: beyond all memory
        if (!m_board.m_pci.is_master(m_device) || place > size || bytes > size - place) {
            return std::nullopt;
        }
        DmaPages const pages(place, bytes);
        bool const may =
            m_board.physical_memory().dma().allows(m_device, pages.first, pages.count, direction);
        return may ? std::optional(place) : std::nullopt;
    }

    Board& m_board;
    u32 m_device;
};

/// Those of the configuration, and a slot for each port.
void Board::take_devices() {
    m_devices = m_config.devices;
    m_devices.resize(m_config.devices.size() + m_config.hot_plug_ports);
    for (u32 number = 0; number < devices().size(); ++number) {
        connect(number);
    }
}

void Board::connect(u32 number) {
    if (auto const device = devices()[number]) {
        device->connected([this, number] { notice_device(number); });
    }
}

/// The bus as it is at power-on, with all devices that are there.
void Board::plug_all() {
    m_pci = PciBus();
    auto const fixed = static_cast<u32>(m_config.devices.size());
    for (u32 number = 0; number < fixed; ++number) {
        m_pci.plug(m_config.devices[number]->identity());
        if (devices()[number] == nullptr) {
            m_pci.pull(number);
        }
    }
    if (m_config.hot_plug_ports != 0) {
        m_pci.add_ports(m_config.hot_plug_ports);
    }
    for (u32 number = fixed; number < devices().size(); ++number) {
        if (devices()[number] != nullptr) {
            m_pci.insert(number, devices()[number]->identity());
        }
    }
}

std::unique_lock<std::mutex> Board::hold_devices() const {
    return std::unique_lock(m_locks->device);
}

std::span<std::byte> Board::registers_of(u32 number) const {
    return memory().subspan(m_pci.registers(number).value, m_pci.register_bytes(number));
}

void Board::start_devices() {
    for (u32 number = 0; number < devices().size(); ++number) {
        if (devices()[number] == nullptr) {
            std::ranges::fill(registers_of(number), std::byte{0xff});
            continue;
        }
        devices()[number]->power_on(Port(*this, number).registers());
        m_pci.mask_vectors(number, memory());
    }
}

std::expected<u32, std::string> Board::plug(std::shared_ptr<PciDevice> device) {
    if (auto const problem = problem_of(std::span(&device, 1)); !problem.empty()) {
        return std::unexpected(problem);
    }
    std::optional<u32> number;
    {
        std::lock_guard const lock(m_locks->device);
        number = m_pci.free_port();
        if (!number) {
            return std::unexpected(
                m_pci.ports() == 0
                    ? std::string("the machine has no ports that devices can be plugged into")
                    : fmt::format("each of the machine's {} ports has a device", m_pci.ports()));
        }
        physical_memory().note_reach(m_pci.registers(*number).value, pci_device_bytes_max);
        std::ranges::fill(registers_of(*number), std::byte{0xff});
        auto const registers = registers_of(*number).first(device->identity().register_bytes);
        std::ranges::fill(registers, std::byte{});
        m_devices[*number] = device;
        m_pci.insert(*number, device->identity());
        device->power_on(registers);
        m_pci.mask_vectors(*number, memory());
    }
    connect(*number);
    note(ports_noticed);
    return *number;
}

std::shared_ptr<PciDevice> Board::unplug(u32 number) {
    std::shared_ptr<PciDevice> device;
    {
        std::lock_guard const lock(m_locks->device);
        if (number >= m_devices.size() || m_devices[number] == nullptr) {
            return nullptr;
        }
        device = std::exchange(m_devices[number], nullptr);
        m_pci.pull(number);
        std::ranges::fill(registers_of(number), std::byte{0xff});
        m_noticed.fetch_and(~(u64{1} << number));
        device->pulled();
    }
    device->connected([] {}); // what comes for it from outside leads nowhere
    note(ports_noticed);
    return device;
}

/// The kernel has written to a register. Under the lock `device`.
void Board::write_device(PciRegister const& where) {
    if (devices()[where.device] == nullptr) {
        std::ranges::fill(registers_of(where.device), std::byte{0xff}); // lost
    } else if (!m_pci.register_written(where, memory(), sender())) {
        Port port(*this, where.device);
        devices()[where.device]->written(port, where.offset);
    }
}

void Board::notice_device(u32 number) {
    CHECK(number < m_devices.size());
    note(u64{1} << number);
}

void Board::note(u64 bits) {
    m_noticed.fetch_or(bits);
    m_owner->device_is_noticed();
}

void Board::tell_noticed() {
    std::lock_guard const lock(m_locks->device);
    u64 const noticed = m_noticed.exchange(0);
    for (u32 number = 0; number < devices().size(); ++number) {
        if ((noticed >> number & 1) != 0 && devices()[number] != nullptr) {
            Port port(*this, number);
            devices()[number]->noticed(port);
        }
    }
    if ((noticed & ports_noticed) != 0) {
        m_pci.settle_ports(sender());
    }
}

PciBus::Sender Board::sender() {
    return [this](PhysAddr to, u32 data) { deliver_message(to, data); };
}

void Board::device_due(u32 device, u64 tag) {
    std::lock_guard const lock(m_locks->device);
    u32 const number = device & ((u32{1} << Port::generation_shift) - 1);
    bool const is_same = m_pci.generation(number) == device >> Port::generation_shift;
    if (is_same && devices()[number] != nullptr) {
        Port port(*this, number);
        devices()[number]->due(port, tag);
    }
}

} // namespace hosted
