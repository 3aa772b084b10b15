// How a board's plugged-in devices reach it. See board.hpp.
#include "hal/hosted/board.hpp"

#include "hal/hosted/board_locks.hpp"

#include <cstring>

namespace hosted {

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
        bool const may = may_reach(from, to.size());
        if (may && !to.empty()) {
            std::memcpy(to.data(), m_board.memory().data() + from.value, to.size());
        }
        return may;
    }
    bool write(DmaAddress to, std::span<std::byte const> from) override {
        bool const may = may_reach(to, from.size());
        if (may && !from.empty()) {
            m_board.physical_memory().note_reach(to.value, from.size());
            std::memcpy(m_board.memory().data() + to.value, from.data(), from.size());
        }
        return may;
    }
    std::span<std::byte> reach(DmaAddress at, u64 bytes, hal::DmaDirection direction) override {
        if (!may_reach(at, bytes)) {
            return {};
        }
        if (direction != hal::DmaDirection::to_device) {
            m_board.physical_memory().note_reach(at.value, bytes);
        }
        return m_board.memory().subspan(at.value, bytes);
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
        m_board.m_owner->call_later(m_device, delay_ns, tag);
    }
    u64 now_ns() const override { return m_board.m_owner->time_ns(); }
    std::optional<u64> fault(DeviceFault fault) override {
        return m_board.m_owner->device_fault(fault);
    }

private:
    bool may_reach(DmaAddress at, u64 bytes) const {
        u64 const size = m_board.memory().size();
        return m_board.m_pci.is_master(m_device) && at.value <= size && bytes <= size - at.value;
    }

    Board& m_board;
    u32 m_device;
};

void Board::connect_devices() {
    for (u32 number = 0; number < devices().size(); ++number) {
        devices()[number]->connected([this, number] { notice_device(number); });
    }
}

void Board::start_devices() {
    for (u32 number = 0; number < devices().size(); ++number) {
        devices()[number]->power_on(Port(*this, number).registers());
        m_pci.mask_vectors(number, memory());
    }
}

/// The kernel has written to a register. Under the lock `device`.
void Board::write_device(PciRegister const& where) {
    if (!m_pci.register_written(where, memory(), sender())) {
        Port port(*this, where.device);
        devices()[where.device]->written(port, where.offset);
    }
}

void Board::notice_device(u32 number) {
    CHECK(number < devices().size());
    m_noticed.fetch_or(u32{1} << number);
    m_owner->device_is_noticed();
}

void Board::tell_noticed() {
    std::lock_guard const lock(m_locks->device);
    u32 const noticed = m_noticed.exchange(0);
    for (u32 number = 0; number < devices().size(); ++number) {
        if ((noticed >> number & 1) != 0) {
            Port port(*this, number);
            devices()[number]->noticed(port);
        }
    }
}

PciBus::Sender Board::sender() {
    return [this](PhysAddr to, u32 data) { deliver_message(to, data); };
}

void Board::device_due(u32 device, u64 tag) {
    std::lock_guard const lock(m_locks->device);
    Port port(*this, device);
    devices()[device]->due(port, tag);
}

} // namespace hosted
