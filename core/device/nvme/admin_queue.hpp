// The admin queue: commands that manage the controller, each waited for by its caller, who looks
// for the end itself: neither interrupts nor threads are needed. And asynchronous event requests,
// which stay with the controller until it has something to tell.
//
// Each command has a slot with a page of its own for its data, which is copied; so whoever does not
// wait any longer keeps nothing that the controller still writes to. The slot of such a command is
// lost until it comes back after all, or the controller is reset.
//
// Source: NVM Express Base Specification 1.4, sections 4.1 and 5.
#pragma once

#include "core/device/dma.hpp"
#include "core/device/environment.hpp"
#include "core/device/nvme/registers.hpp"

#include <optional>
#include <span>

namespace twofold::nvme {

/// How a command came back.
struct Answer {
    Status status;
    u32 result = 0; ///< of the command's own
};

/// Lets time pass: sleeps where that is possible. Context thread or work, interrupts on.
void pause_for(Nanos time);

class AdminQueue {
public:
    static constexpr u16 entries = 32;
    static constexpr u32 commands_max = 8, events_max = 4;

    AdminQueue(
        device::DriverEnvironment const& environment,
        device::DmaSpace& dma,
        Registers const& registers)
        : m_environment(environment), m_dma(dma), m_registers(registers) {}
    AdminQueue(AdminQueue const&) = delete;
    AdminQueue& operator=(AdminQueue const&) = delete;
    ~AdminQueue() { CHECK(m_pages == 0); } ///< it was closed, or never opened

    /// Takes its memory. Errors: out_of_memory, those of DmaSpace::map; then it is closed.
    Result<void> open();
    /// The controller reaches the queue no more. Context thread.
    void close();
    /// Empties the queue of a controller that is disabled, and tells it where it lies. What was on
    /// its way comes to nothing (io_failed).
    void start(u32 doorbell_stride);
    /// Nothing is given to the controller any more, and what was on its way comes to nothing.
    void stop();

    /// Which way the data of a command goes.
    enum class Data : u8 { none, from_controller, to_controller };
    /// Performs a command with at most a page of data. Context thread or work, interrupts on.
    /// Errors: timed_out, io_failed (the controller is gone, or was reset meanwhile), busy (no slot
    /// is free for that long).
    Result<Answer>
    perform(Command command, Nanos time_out, Data way = Data::none, std::span<std::byte> data = {});

    /// Leaves requests for events with the controller, up to `count`. Any context up to irq.
    void ask_for_events(u32 count);
    /// The result of an event that has come, each once. Any context up to irq.
    std::optional<u32> next_event();
    /// Takes what the controller is done with; whether there is an event. Context thread or work.
    bool drain();
    u64 spurious() const { return m_spurious.load(relaxed); }

private:
    enum class State : u8 { free, in_flight, done, failed, abandoned };
    struct Slot {
        State state = State::free;
        u16 id = 0; ///< the number, and a count of uses
        Answer answer;
    };
    static constexpr u32 slots = commands_max + events_max;
    static constexpr u32 slot_bits = 4;
    static_assert(slots <= 1u << slot_bits && slots < entries);
    static constexpr u64 pages = 2 + commands_max; ///< two for the queues

    PhysAddr page_of(u32 slot) const { return m_memory + page_size * (2 + u64{slot}); }
    hal::DmaAddress device_page_of(u32 slot) const {
        return m_mapping.address + page_size * (2 + u64{slot});
    }
    std::optional<u32> begin(Command command, Data way, std::span<std::byte> data);
    Result<Answer> end(u32 slot, std::span<std::byte> data, Data way);
    void place(Command const& command) REQUIRES(m_lock);
    bool is_over(u32 slot);
    void take() REQUIRES(m_lock);
    void give_up(u32 slot);
    void fail_all() REQUIRES(m_lock);

    device::DriverEnvironment m_environment;
    device::DmaSpace& m_dma;
    Registers m_registers;
    PhysAddr m_memory{};
    u64 m_pages = 0;
    device::DmaMapping m_mapping;
    std::span<Command> m_submissions;
    std::span<Completion> m_completions;

    sync::SpinLock m_lock{sync::LockRank::device};
    Slot m_slots[slots] GUARDED_BY(m_lock); ///< those of events after those of commands
    bool m_runs GUARDED_BY(m_lock) = false;
    bool m_phase GUARDED_BY(m_lock) = true;
    u16 m_tail GUARDED_BY(m_lock) = 0;
    u16 m_head GUARDED_BY(m_lock) = 0;
    u32 m_stride GUARDED_BY(m_lock) = 4;
    FixedVector<u32, events_max> m_events GUARDED_BY(m_lock);
    Atomic<u64> m_spurious{0};
};

} // namespace twofold::nvme
