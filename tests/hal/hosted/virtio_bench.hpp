// Drives the model of a VIRTIO device without a machine: memory, registers, interrupts that are
// counted, and the driver's side of the transport and of the queues.
#pragma once

#include "hal/hosted/devices/virtio_pci.hpp"
#include "tests/hal/hosted/memory_bus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

namespace hosted::test {

class VirtioBench final : public MemoryBus {
public:
    static constexpr u64 memory_bytes = u64{1} << 20;
    static constexpr u16 entries = 8;
    static constexpr u64 commands = 0x10000, answers = 0x18000, data = 0x20000;
    static constexpr u16 config_vector = 0;

    explicit VirtioBench(VirtioPci& device) : MemoryBus(memory_bytes), m_device(device) {
        switch_on();
    }
    void switch_on() {
        m_registers.assign(m_device.identity().register_bytes, std::byte{});
        m_device.power_on(m_registers);
    }

    // Where a queue lies.
    static constexpr u64 descriptors(u32 queue) { return 0x1000 + u64{queue} * 0x3000; }
    static constexpr u64 available(u32 queue) { return descriptors(queue) + 0x1000; }
    static constexpr u64 used(u32 queue) { return descriptors(queue) + 0x2000; }

    template<class T>
    void write(u64 offset, T value) {
        std::memcpy(m_registers.data() + offset, &value, sizeof(value));
        m_device.written(*this, offset);
    }
    template<class T>
    T read(u64 offset) const {
        T value;
        std::memcpy(&value, m_registers.data() + offset, sizeof(value));
        return value;
    }
    virtio::Common common() const { return read<virtio::Common>(VirtioPci::common_at); }
    u8 status() const { return common().status; }
    bool needs_reset() const { return (status() & virtio::needs_reset) != 0; }

    void set_status(u8 status) { write<u8>(offsetof(virtio::Common, status), status); }
    void accept(u64 features) {
        for (u32 word = 0; word < 2; ++word) {
            write<u32>(offsetof(virtio::Common, driver_feature_select), word);
            write<u32>(
                offsetof(virtio::Common, driver_feature), static_cast<u32>(features >> 32 * word));
        }
    }
    void set_queue(u32 queue, u16 size = entries) {
        using virtio::Common;
        write<u16>(offsetof(Common, queue_select), static_cast<u16>(queue));
        write<u16>(offsetof(Common, queue_size), size);
        write<u64>(offsetof(Common, descriptors), descriptors(queue));
        write<u32>(offsetof(Common, available), static_cast<u32>(available(queue))); // two halves
        write<u32>(offsetof(Common, available) + 4, 0);
        write<u64>(offsetof(Common, used), used(queue));
        write<u16>(offsetof(Common, queue_vector), static_cast<u16>(queue + 1));
        write<u16>(offsetof(Common, queue_enable), 1);
    }
    /// From a reset to DRIVER_OK, as VIRTIO 1.2, section 3.1.1 has it.
    void start(u32 queues) {
        std::fill_n(memory().begin(), 0x10000, std::byte{});
        m_next.clear();
        m_seen.clear();
        set_status(0);
        set_status(virtio::acknowledge | virtio::driver);
        accept(virtio::feature_version_1);
        set_status(virtio::acknowledge | virtio::driver | virtio::features_ok);
        ASSERT_NE(status() & virtio::features_ok, 0);
        write<u16>(offsetof(virtio::Common, config_vector), config_vector);
        for (u32 queue = 0; queue < queues; ++queue) {
            set_queue(queue);
        }
        set_status(virtio::acknowledge | virtio::driver | virtio::features_ok | virtio::driver_ok);
    }

    void put_bytes(u64 at, std::span<std::byte const> bytes) {
        std::ranges::copy(bytes, memory().begin() + static_cast<i64>(at));
    }
    template<class T>
        requires std::is_trivially_copyable_v<T>
    void put(u64 at, T const& value) {
        put_bytes(at, std::as_bytes(std::span(&value, 1)));
    }
    template<class T>
    T get(u64 at) const {
        T value;
        std::memcpy(&value, memory().data() + at, sizeof(value));
        return value;
    }
    void set_descriptor(u32 queue, u32 index, virtio::Descriptor const& descriptor) {
        put(descriptors(queue) + index * sizeof(descriptor), descriptor);
    }
    /// Makes the chain that begins at `head` available and notifies.
    void make_available(u32 queue, u16 head) {
        u16 const index = m_next[queue]++;
        put(available(queue) + virtio::ring_offset + index % entries * sizeof(u16), head);
        put(available(queue) + virtio::index_offset, m_next[queue]);
        notify(queue);
    }
    void notify(u32 queue) {
        write<u16>(VirtioPci::notify_at + u64{queue} * VirtioPci::notify_step, 0);
    }
    /// The chains that the device has handed back since the last call.
    std::vector<virtio::UsedEntry> take(u32 queue) {
        std::vector<virtio::UsedEntry> all;
        auto const index = get<u16>(used(queue) + virtio::index_offset);
        for (u16& seen = m_seen[queue]; seen != index; ++seen) {
            all.push_back(get<virtio::UsedEntry>(
                used(queue) + virtio::ring_offset + seen % entries * sizeof(virtio::UsedEntry)));
        }
        return all;
    }
    /// A command in one descriptor and room for its answer in another. The answer, as long as the
    /// device says; nothing: it has not answered.
    std::vector<std::byte>
    perform(u32 queue, std::span<std::byte const> command, u32 room, u64 answer_at = answers) {
        put_bytes(commands, command);
        bool const answers_too = room != 0;
        set_descriptor(
            queue, 0,
            {commands, static_cast<u32>(command.size()),
             static_cast<u16>(answers_too ? virtio::has_next : 0), 1});
        set_descriptor(queue, 1, {answer_at, room, virtio::is_writable, 0});
        make_available(queue, 0);
        auto const all = take(queue);
        if (all.size() != 1 || all[0].bytes > room) {
            return {};
        }
        auto const begin = memory().begin() + static_cast<i64>(answers);
        return {begin, begin + all[0].bytes};
    }

    u64 interrupts_of(u32 vector) const {
        auto const found = m_interrupts.find(vector);
        return found == m_interrupts.end() ? 0 : found->second;
    }

    std::span<std::byte> registers() override { return m_registers; }
    void interrupt() override { ADD_FAILURE() << "it has MSI-X"; }
    void interrupt(u32 vector) override { ++m_interrupts[vector]; }
    void call_later(u64, u64) override { ADD_FAILURE() << "it needs no simulation"; }
    u64 now_ns() const override { return 0; }
    std::optional<u64> fault(DeviceFault) override { return std::nullopt; }

private:
    VirtioPci& m_device;
    std::vector<std::byte> m_registers;
    std::map<u32, u64> m_interrupts;
    std::map<u32, u16> m_next; ///< available index, by queue
    std::map<u32, u16> m_seen; ///< used index
};

} // namespace hosted::test
