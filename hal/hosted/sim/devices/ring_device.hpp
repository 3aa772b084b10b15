// What simulated devices with a submission and a completion ring have in common: the registers that
// start and stop them, fetching what the kernel has submitted, and handing back what is complete.
// The rings are as docs/devices-simulated.md says.
//
// A kernel that breaks the rules (rings outside memory, a count that leaps) finds the device in the
// state `failed`, until it is stopped. A device that is stopped forgets all that is in flight and
// never touches memory again for it.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"
#include "hal/hosted/sim/devices/ring_layout.hpp"
#include "hal/hosted/sim/devices/state_bytes.hpp"

#include <deque>

namespace hosted {

class RingDevice : public PciDevice {
public:
    void power_on(std::span<std::byte> registers) final;
    void written(DeviceBus& bus, u64 offset) final;
    void due(DeviceBus& bus, u64 tag) final;
    std::vector<std::byte> save() const final;
    void load(std::span<std::byte const> state) final;

protected:
    /// Moments with this bit are not the ring's: they outlast a stop.
    static constexpr u64 outside = u64{1} << 63;

    explicit RingDevice(u32 signature) : m_signature(signature) {}

    /// As PciDevice has them, but for what the ring does itself.
    virtual void start_up(std::span<std::byte> registers) = 0;
    virtual void save_own(StateWriter& out) const = 0;
    virtual void load_own(StateReader& in) = 0;
    /// The kernel has submitted it.
    virtual void submitted(DeviceBus& bus, ring::Submission const& submission) = 0;
    /// A moment has come: of `later`, or one from outside.
    virtual void happened(DeviceBus& bus, u64 id) = 0;
    /// What is in flight is forgotten.
    virtual void forget() = 0;

    bool is_running() const { return m_state == ring::state_running; }
    /// Calls `happened` with `id`, unless the device is stopped before.
    void later(DeviceBus& bus, u64 delay_ns, u32 id) {
        bus.call_later(delay_ns, u64{m_epoch} << 32 | id);
    }
    /// Puts it into the ring and interrupts; where the ring is full, as soon as the kernel has
    /// taken something.
    void complete(DeviceBus& bus, ring::Completion completion);

    template<class T>
    static void set_register(std::span<std::byte> registers, u64 offset, T value) {
        CHECK(offset + sizeof(T) <= registers.size());
        std::memcpy(registers.data() + offset, &value, sizeof(T));
    }
    template<class T>
    static T get_register(std::span<std::byte const> registers, u64 offset) {
        CHECK(offset + sizeof(T) <= registers.size());
        T value;
        std::memcpy(&value, registers.data() + offset, sizeof(T));
        return value;
    }

private:
    void start(DeviceBus& bus);
    void stop(DeviceBus& bus);
    void fail(DeviceBus& bus);
    void set_state(DeviceBus& bus, u32 state);
    void fetch(DeviceBus& bus);
    void hand_back(DeviceBus& bus);

    u32 m_signature;
    u32 m_state = ring::state_stopped;
    u32 m_epoch = 0; ///< of moments: how often it was stopped; below `outside`
    u32 m_entries = 0;
    u64 m_submissions = 0;
    u64 m_completions = 0;
    u32 m_fetched = 0; ///< submissions; these counts run on for ever, modulo 2^32
    u32 m_written = 0; ///< completions
    u32 m_taken = 0;   ///< of these, by the kernel
    std::deque<ring::Completion> m_waiting; ///< for room in the ring
};

} // namespace hosted
