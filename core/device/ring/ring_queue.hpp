// The kernel's side of a device with a submission and a completion ring (layout.hpp): many requests
// in flight, each completed once, whatever the device does.
//
// A request belongs to the queue from `submit` until its `done` is called, never from inside
// `submit`; so long the device reaches its buffer. Where all slots are taken it waits in the order
// of arrival. An interrupt only says that there is something; its second half takes completions,
// frees slots, starts who waits, and calls `done` in context work.
//
// A request that is not done in its time is given back as timed_out; but a device may still write
// to its buffer. So the device is stopped first, which makes it forget everything, and started
// anew, and the others are submitted again. Hence what is submitted must bear being done twice. A
// completion that nobody waits for (a second one, or one that comes late) is counted and dropped:
// tokens hold a count of the slot's uses.
//
// Invariant: a slot is free, or holds one request. All state but that of requests that are being
// given back is under the lock, and so are the rings.
//
// Source: the rings are NVMe's (NVM Express Base Specification 2.0, section 3.3), with one pair.
#pragma once

#include "core/device/dma.hpp"
#include "core/device/environment.hpp"
#include "core/device/ring/layout.hpp"
#include "hal/clock.hpp"
#include "hal/io.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace twofold::device {

/// Between two looks at whether something is done: a millisecond. Context thread, interrupts on.
void wait_a_little();

struct RingRequestsTag;

/// One request. In memory of whoever asks, and not touched while the queue has it.
class RingRequest : public ListNode<RingRequestsTag> {
public:
    /// `outcome` is the completion's value. In context work; the queue has let go of the request.
    using Done = void (*)(RingRequest& request, Result<u64> outcome);

    u8 operation = 0;
    u64 target = 0;
    u32 count = 0;
    PhysAddr buffer{};
    Bytes bytes{}; ///< of the buffer; 0: there is none
    hal::DmaDirection direction = hal::DmaDirection::both;
    Nanos time_out{}; ///< from when the device has it; 0: it may take for ever
    Done done = nullptr;

private:
    friend class RingQueue;

    DmaMapping m_mapping; ///< of the buffer
};

/// What has happened on a queue.
struct RingCounts {
    u64 submitted = 0; ///< to the device, also again
    u64 completed = 0;
    u64 unexpected = 0; ///< completions that nobody waited for
    u64 timed_out = 0;
    u64 restarts = 0; ///< of the device
};

class RingQueue {
public:
    static constexpr u32 entries = 64;

    /// Takes over the device at `function`, whose registers have to begin with `signature`.
    /// `name` is for people and lives as long. Context thread; there are interrupts and a clock.
    /// Errors: not_supported (no such device, or it cannot send messages), io_failed (it does not
    /// start), out_of_memory, those of Interrupts::bind_message.
    static Result<RingQueue*> open(
        DriverEnvironment const& environment,
        pci::Function const& function,
        u32 signature,
        std::string_view name);
    RingQueue(RingQueue const&) = delete;
    RingQueue& operator=(RingQueue const&) = delete;

    /// Stops the device for good and ends the queue. What the device still has is withdrawn, and
    /// its `done` not called; nothing waits, and no other context uses the queue. Context thread.
    void close();

    /// Starts a request. Any context up to irq; no lock of rank `device` or above is held. What it
    /// comes to is said by `done`: io_failed (the device says so, or does not start any more),
    /// invalid_argument (so says the device), timed_out. Errors, at once: those of DmaSpace::map.
    /// O(pages).
    Result<void> submit(RingRequest& request);

    /// Stops the device and gives back all that it has, and all that waits, as io_failed; so ends
    /// from then on what is submitted. Context thread, interrupts on. O(requests).
    void abandon();
    /// The device does nothing until `resume`, and keeps nothing; what is submitted waits. What is
    /// in flight comes to its end first, but for requests that may take for ever: those are
    /// submitted again by `resume`. Context thread, interrupts on. Errors: io_failed (the device
    /// does not start any more).
    Result<void> suspend();
    /// Errors: io_failed (the device does not start).
    Result<void> resume();

    u32 read_32(Bytes offset) const { return hal::Io::read_32(m_registers + offset); }
    RingCounts counts();

private:
    enum class State : u8 {
        free,
        in_flight,
        overdue,   ///< its time is over; the device may still have it
        abandoned, ///< the device has forgotten it; it is to be given back
        finishing, ///< the device is done with it; it is being given back
    };
    struct Slot {
        Slot(RingQueue& queue, u32 number)
            : owner(queue), token(number), timer(RingQueue::take_timer, this) {}

        RingQueue& owner;
        u32 token; ///< the number, and a count of uses
        RingRequest* request = nullptr;
        State state = State::free;
        processor::Timer timer;
    };
    static_assert(is_power_of_two(entries));

    RingQueue(
        DriverEnvironment const& environment,
        pci::Address function,
        VirtAddr registers,
        PhysAddr rings);
    ~RingQueue() = default;

    static Result<RingQueue*>
    make(DriverEnvironment const& environment, pci::Address function, VirtAddr registers);
    Result<void> map_rings();
    void unmap(RingRequest& request);
    void stop_mastering();
    Result<void> begin(pci::Function const& function, std::string_view name);
    Result<void> make_slots();
    Result<void> bind(pci::Function const& function, std::string_view name);
    bool start() REQUIRES(m_lock);
    void place(Slot& slot) REQUIRES(m_lock);
    void hand_over(Slot const& slot) REQUIRES(m_lock);
    void restart() REQUIRES(m_lock);
    bool has_limited() REQUIRES(m_lock);
    void place_waiting() REQUIRES(m_lock);
    RingRequest* take_waiting();
    bool give_back_one(Error error);
    bool is_finishing();
    Slot* free_slot() REQUIRES(m_lock);
    Slot* take_completion(Result<u64>& outcome);
    void drain();
    void restart_if_overdue();
    void finish(Slot& slot, Result<u64> outcome);
    static processor::Handling take_interrupt(void* self, hal::Interruption const& interruption);
    static void take_timer(void* slot);
    static void work(void* self);

    DriverEnvironment m_environment;
    pci::FunctionSpace m_space;
    VirtAddr m_registers;
    PhysAddr m_rings; ///< a page of submissions, a page of completions
    DmaSpace m_dma;
    std::optional<DmaMapping> m_submissions; ///< these two, as the device sees them
    std::optional<DmaMapping> m_completions;
    std::optional<pci::Msi> m_msi;
    std::optional<hal::Vector> m_vector;
    std::span<Slot> m_slots; ///< none, as long as it is not open

    sync::SpinLock m_lock{sync::LockRank::device};
    IntrusiveList<RingRequest, RingRequestsTag> m_waiting GUARDED_BY(m_lock);
    u32 m_submitted GUARDED_BY(m_lock) = 0; ///< these counts run on for ever, modulo 2^32
    u32 m_taken GUARDED_BY(m_lock) = 0;
    bool m_is_dead GUARDED_BY(m_lock) = false; ///< the device does not start any more
    bool m_is_suspended GUARDED_BY(m_lock) = false;
    bool m_is_ended GUARDED_BY(m_lock) = false; ///< nothing starts the device any more
    RingCounts m_counts GUARDED_BY(m_lock);
};

} // namespace twofold::device
