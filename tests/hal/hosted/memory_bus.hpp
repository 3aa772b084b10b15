// The memory that the model of a device reaches in a test without a machine.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"

#include <cstring>
#include <vector>

namespace hosted::test {

/// All of the memory is mapped for the device, at addresses from 0 on, while it is a bus master.
class MemoryBus : public DeviceBus {
public:
    explicit MemoryBus(u64 bytes) : m_bytes(bytes), m_memory(bytes + page_size.value) {}

    /// As aligned as a machine's is.
    std::span<std::byte> memory() { return std::span(m_memory).subspan(begin(), m_bytes); }
    std::span<std::byte const> memory() const {
        return std::span(m_memory).subspan(begin(), m_bytes);
    }
    std::span<std::byte> memory(u64 at, u64 bytes) { return memory().subspan(at, bytes); }
    void set_master(bool is_master) { m_is_master = is_master; }

    bool read(DmaAddress from, std::span<std::byte> to) override {
        bool const may = may_reach(from, to.size());
        if (may && !to.empty()) {
            std::memcpy(to.data(), memory().data() + from.value, to.size());
        }
        return may;
    }
    bool write(DmaAddress to, std::span<std::byte const> from) override {
        bool const may = may_reach(to, from.size());
        if (may && !from.empty()) {
            std::memcpy(memory().data() + to.value, from.data(), from.size());
        }
        return may;
    }
    std::span<std::byte> reach(DmaAddress at, u64 bytes, hal::DmaDirection) override {
        return may_reach(at, bytes) ? memory(at.value, bytes) : std::span<std::byte>();
    }

private:
    bool may_reach(DmaAddress at, u64 bytes) const {
        return m_is_master && at.value <= m_bytes && bytes <= m_bytes - at.value;
    }
    u64 begin() const { return -reinterpret_cast<u64>(m_memory.data()) & (page_size.value - 1); }

    u64 m_bytes;
    std::vector<std::byte> m_memory;
    bool m_is_master = true;
};

} // namespace hosted::test
