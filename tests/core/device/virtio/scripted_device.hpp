// A virtio device in memory, for tests: it sees its queues as a device does, by physical addresses,
// and does what the test says, sense or not.
#pragma once

#include "core/boot/boot.hpp"
#include "core/device/virtio/device.hpp"
#include "hal/memory.hpp"

#include <cstring>
#include <optional>

namespace twofold::test_virtio {

using namespace device::virtio;

/// A chain as the device finds it.
struct SeenChain {
    u16 head = 0;
    FixedVector<Descriptor, 32> descriptors;
};

class ScriptedDevice : public Transport {
public:
    explicit ScriptedDevice(u32 kind = device_kind::gpu) : m_kind(kind) {}
    virtual ~ScriptedDevice() = default;

    // What the device is, set before it is opened.
    u64 offered = feature::version_1;
    u64 not_taken = 0; ///< features that it offers and does not accept
    u16 entries_max = 8;
    bool never_resets = false;
    bool answers_at_once = false; ///< all that it has, as soon as it is told of anything
    u32 configuration[16]{};

    // What has happened to it.
    u64 accepted = 0;
    u8 status_now = 0;
    u32 resets = 0;
    u32 notifications = 0;
    bool is_closed = false;
    Atomic<u32> work_requests{0};
    std::optional<QueueMemory> queue;

    device::DmaSpace& dma() override { return m_dma; }
    u32 device_kind() const override { return m_kind; }
    std::string_view name() const override { return "scripted"; }
    u32 read_features(u32 word) override { return static_cast<u32>(offered >> 32 * word); }
    void write_features(u32 word, u32 bits) override {
        accepted = (accepted & ~(u64{UINT32_MAX} << 32 * word)) | u64{bits} << 32 * word;
    }
    u8 read_status() override { return status_now; }
    void write_status(u8 status) override {
        if (status == 0) {
            ++resets;
            status_now = never_resets ? status_now : u8{0};
            return;
        }
        bool const is_refused = (accepted & not_taken) != 0;
        status_now = is_refused ? static_cast<u8>(status & ~status::features_ok) : status;
    }
    u16 queue_entries_max(u16 index) override { return index == 0 ? entries_max : u16{0}; }
    Result<void> enable_queue(u16, QueueMemory const& memory) override {
        queue = memory;
        return {};
    }
    void notify(u16) override {
        ++notifications;
        while (auto const chain = answers_at_once ? take() : std::nullopt) {
            give_back(chain->head, 0);
        }
    }
    u32 configuration_generation() override { return generation += generation_step; }
    Bytes configuration_size() const override { return Bytes{sizeof(configuration)}; }
    u32 read_configuration(Bytes offset) override { return configuration[offset.value / 4]; }
    void write_configuration(Bytes offset, u32 value) override {
        configuration[offset.value / 4] = value;
    }
    Result<void> bind(TransportEvents const& events, std::string_view) override {
        m_events = events;
        return {};
    }
    void request_work() override { work_requests.fetch_add(1, acquire_release); }
    void unbind() override {}
    void close() override { is_closed = true; }

    u32 generation = 0;
    u32 generation_step = 0;

    /// What an interrupt leads to.
    void tell_of_queues() { m_events.queues(m_events.object); }
    void tell_of_configuration() { m_events.configuration(m_events.object); }

    /// The next chain that the driver has made available.
    std::optional<SeenChain> take() {
        auto const index = read<u16>(queue->available + Bytes{2});
        if (index == m_taken) {
            return std::nullopt;
        }
        u16 const place = m_taken++ % queue->entries;
        SeenChain chain;
        chain.head = read<u16>(queue->available + Bytes{4 + u64{place} * 2});
        u16 at = chain.head;
        for (u16 i = 0; i < queue->entries; ++i) {
            auto const descriptor =
                read<Descriptor>(queue->descriptors + Bytes{u64{at} * sizeof(Descriptor)});
            chain.descriptors.push_back(descriptor).value();
            if ((descriptor.flags & descriptor_has_next) == 0) {
                break;
            }
            at = descriptor.next;
        }
        return chain;
    }
    /// Puts an element into the used ring, whatever it says.
    void give_back(u32 head, u32 bytes) {
        u64 const place = m_given % queue->entries;
        write(queue->used + Bytes{4 + place * sizeof(UsedElement)}, UsedElement{head, bytes});
        set_used_index(static_cast<u16>(m_given + 1));
    }
    void set_used_index(u16 index) {
        m_given = index;
        write(queue->used + Bytes{2}, index);
    }

    template<class T>
    static T read(PhysAddr place) {
        T value;
        std::memcpy(&value, hal::Memory::linear(place), sizeof(value));
        return value;
    }
    /// The machine has no such device, so it sees memory as it is.
    template<class T>
    static T read(hal::DmaAddress place) {
        return read<T>(PhysAddr{place.value});
    }
    template<class T>
    static void write(hal::DmaAddress place, T const& value) {
        write(PhysAddr{place.value}, value);
    }
    template<class T>
    static void write(PhysAddr place, T const& value) {
        std::memcpy(hal::Memory::linear(place), &value, sizeof(value));
    }

protected:
    TransportEvents m_events;

private:
    u32 m_kind;
    device::DmaSpace m_dma;
    u16 m_taken = 0;
    u16 m_given = 0;
};

inline device::DriverEnvironment environment(boot::Kernel& kernel, pci::Configuration access) {
    return {
        .configuration = access,
        .space = *kernel.space,
        .frames = *kernel.frames,
        .heap = *kernel.heap,
        .interrupts = kernel.interrupts};
}

} // namespace twofold::test_virtio
