// The memory that the model of a device reaches in a test without a machine.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"

#include <cstring>
#include <vector>

namespace hosted::test {

/// All of the memory is mapped for the device, at addresses from 0 on, while it is a bus master.
class MemoryBus : public DeviceBus {
public:
    explicit MemoryBus(u64 bytes) : m_memory(bytes) {}

    std::span<std::byte> memory() { return m_memory; }
    std::span<std::byte const> memory() const { return m_memory; }
    std::span<std::byte> memory(u64 at, u64 bytes) { return memory().subspan(at, bytes); }
    void set_master(bool is_master) { m_is_master = is_master; }

    bool read(DmaAddress from, std::span<std::byte> to) override {
        bool const may = may_reach(from, to.size());
        if (may && !to.empty()) {
            std::memcpy(to.data(), m_memory.data() + from.value, to.size());
        }
        return may;
    }
    bool write(DmaAddress to, std::span<std::byte const> from) override {
        bool const may = may_reach(to, from.size());
        if (may && !from.empty()) {
            std::memcpy(m_memory.data() + to.value, from.data(), from.size());
        }
        return may;
    }
    std::span<std::byte> reach(DmaAddress at, u64 bytes, hal::DmaDirection) override {
        return may_reach(at, bytes) ? memory(at.value, bytes) : std::span<std::byte>();
    }

private:
    bool may_reach(DmaAddress at, u64 bytes) const {
        return m_is_master && at.value <= m_memory.size() && bytes <= m_memory.size() - at.value;
    }

    std::vector<std::byte> m_memory;
    bool m_is_master = true;
};

} // namespace hosted::test
