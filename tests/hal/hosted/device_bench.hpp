// Drives the model of a device with rings without a machine: memory, a clock that jumps from moment
// to moment, and the kernel's side of a ring.
#pragma once

#include "hal/hosted/sim/devices/ring_device.hpp"
#include "tests/hal/hosted/memory_bus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace hosted::test {

class DeviceBench final : public MemoryBus {
public:
    static constexpr u64 memory_bytes = u64{512} << 10;
    static constexpr u64 submissions = 0x1000, completions = 0x3000, buffers = 0x10000;

    explicit DeviceBench(RingDevice& device, u32 entries = 16)
        : MemoryBus(memory_bytes), m_device(device), m_entries(entries) {
        switch_on();
    }

    /// The machine starts over; its memory and what was to come are gone.
    void switch_on() {
        std::ranges::fill(memory(), std::byte{});
        m_registers.assign(device_bytes(), std::byte{});
        m_moments.clear();
        m_device.power_on(m_registers);
        m_submitted = 0;
        m_taken = 0;
    }
    void start() {
        write_register<u64>(ring::submissions, submissions);
        write_register<u64>(ring::completions, completions);
        write_register<u32>(ring::entries, m_entries);
        std::fill_n(memory().begin() + completions, 0x2000, std::byte{});
        m_submitted = 0;
        m_taken = 0;
        write_register<u32>(ring::control, ring::control_run);
    }
    void stop() { write_register<u32>(ring::control, 0); }

    /// Puts it into the ring and rings the doorbell.
    void submit(ring::Submission const& submission) {
        u64 const at = submissions + (m_submitted & (m_entries - 1)) * sizeof(submission);
        std::memcpy(memory().data() + at, &submission, sizeof(submission));
        write_register<u32>(ring::submitted, ++m_submitted);
    }
    /// Lets one moment come; false: there is none.
    bool step() {
        auto const next = std::ranges::min_element(m_moments, {}, &Moment::at_ns);
        if (next == m_moments.end()) {
            return false;
        }
        Moment const moment = *next;
        m_moments.erase(next);
        m_now_ns = moment.at_ns;
        m_device.due(*this, moment.tag);
        return true;
    }
    void run() {
        while (step()) {
        }
    }
    /// Takes what is complete.
    std::vector<ring::Completion> take() {
        std::vector<ring::Completion> all;
        while (true) {
            ring::Completion next;
            u64 const at = completions + (m_taken & (m_entries - 1)) * sizeof(next);
            std::memcpy(&next, memory().data() + at, sizeof(next));
            if (next.phase != ((m_taken & m_entries) == 0 ? 1 : 0)) {
                break;
            }
            all.push_back(next);
            ++m_taken;
        }
        write_register<u32>(ring::taken, m_taken);
        return all;
    }
    /// One request from begin to end.
    ring::Completion perform(ring::Submission const& submission) {
        submit(submission);
        run();
        auto const all = take();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? ring::Completion{.status = 0xffff} : all.front();
    }

    template<class T>
    void write_register(u64 offset, T value) {
        std::memcpy(m_registers.data() + offset, &value, sizeof(value));
        m_device.written(*this, offset);
    }
    template<class T>
    T read_register(u64 offset) const {
        T value;
        std::memcpy(&value, m_registers.data() + offset, sizeof(value));
        return value;
    }
    u64 interrupts() const { return m_interrupts; }
    usize moments() const { return m_moments.size(); }

    std::span<std::byte> registers() override { return m_registers; }
    void interrupt() override { ++m_interrupts; }
    void interrupt(u32) override { ++m_interrupts; }
    void call_later(u64 delay_ns, u64 tag) override {
        m_moments.push_back({m_now_ns + delay_ns, tag});
    }
    u64 now_ns() const override { return m_now_ns; }
    /// Nothing goes wrong with devices that have rings: with the links between them it does.
    std::optional<u64> fault(DeviceFault) override { return std::nullopt; }

private:
    struct Moment {
        u64 at_ns = 0;
        u64 tag = 0;
    };

    u64 device_bytes() const { return m_device.identity().register_bytes; }
    RingDevice& m_device;
    std::vector<std::byte> m_registers;
    std::vector<Moment> m_moments; ///< in the order in which they were asked for
    u32 m_entries;
    u32 m_submitted = 0;
    u32 m_taken = 0;
    u64 m_now_ns = 0;
    u64 m_interrupts = 0;
};

} // namespace hosted::test
