// A pair of queues for I/O: requests go to the controller and come back, many in flight, each done
// once, whatever the controller does.
//
// A request belongs to the queue from `submit` until its `done` is called, never from inside
// `submit`. Where no slot is free it waits in the order of arrival. The tail doorbell is rung once
// for many requests: those of a `hold`, and those that `done` functions submit while completions
// are taken; the head doorbell once for a quarter of the queue or more. The clock is read once for
// each batch, too.
//
// A command's identifier holds its slot and a count of the slot's uses, so that a completion which
// nobody waits for (a second one, one that comes late, one of nothing) is counted and dropped. What
// fails and may succeed is given to the controller again, a few times. What is overdue is told of,
// once to have it aborted, once more to have the controller reset; that is the controller's
// (controller.hpp), and `stop`, `take_back` and `resume` are for it.
//
// Invariants: a slot is free, or holds one request. A request is in a slot, waits, has failed and
// is about to be given back, or is its owner's: it goes from one to the next under the lock, so it
// is given back once. All state is under the lock, and so are the queues; no `done` is called under
// it. At most entries - 1 commands are in flight, so the queue of submissions does not overflow;
// the controller keeps what the other one has no place for.
//
// Sources: NVM Express Base Specification 1.4, section 4.1. Batched doorbells and preallocated
// requests: Z. Yang et al., "SPDK: A development kit to build high performance storage
// applications", CloudCom 2017.
#pragma once

#include "core/device/dma.hpp"
#include "core/device/environment.hpp"
#include "core/device/nvme/data_pointer.hpp"
#include "core/device/nvme/registers.hpp"
#include "core/device/nvme/status.hpp"

#include <optional>
#include <span>

namespace twofold::nvme {

/// What has happened on a queue.
struct QueueCounts {
    u64 submitted = 0; ///< commands, also given again
    u64 completed = 0; ///< commands that came back
    u64 submission_doorbells = 0;
    u64 completion_doorbells = 0;
    u64 interrupts = 0;
    u64 polls = 0;    ///< looks of who polls
    u64 spurious = 0; ///< completions that nobody waited for
    u64 waited = 0;   ///< requests that found no slot
    u64 retries = 0;
    u64 replays = 0;
    u64 timeouts = 0; ///< commands that were overdue
    u64 failed = 0;   ///< requests given back with an error
    u64 descriptors = 0;
    u64 lists = 0; ///< commands with a list of PRPs or SGL descriptors
};

/// What belongs to a request while it is in flight (block::Request::make_room).
struct IoRoom {
    u32 space = 0;    ///< the namespace
    u32 progress = 0; ///< sectors of write_zeroes that are done
    u32 sequence = 0; ///< of being given to the controller last
    u8 retries = 0;
    u8 replays = 0;
    Error error{}; ///< of one that has failed
};

/// What a queue is made with. All of it outlives the queue.
struct QueuePlan {
    u16 number = 1; ///< 0 is the admin queue's
    u16 entries = 0;
    u16 vector = 0; ///< of the controller's
    CpuId cpu{};    ///< where that is taken
    u32 doorbell_stride = 4;
    SglSupport sgl = SglSupport::none;
    u32 pages_max = 0; ///< of one command
    Nanos time_out{};  ///< of a request that says none
    Nanos abort_time{};
    /// Something is overdue. Any context up to irq, under the queue's lock.
    void (*overdue)(void* owner) = nullptr;
    void* owner = nullptr;
};

/// How completions are found.
enum class CompletionMode : u8 {
    interrupt,
    polling, ///< by who waits; nothing interrupts
    hybrid,  ///< who waits polls for a while, then the interrupt is waited for
};

/// Why a controller is reset. Requests that were in flight for too many failures of it fail; that
/// somebody wants it reset is no fault of theirs.
enum class ResetCause : u8 { failure, request };

class QueuePair {
public:
    static constexpr u16 entries_max = 128, entries_min = 4;
    static constexpr u32 segments_max = 32;
    static constexpr u32 batch_max = 32; ///< commands that a doorbell is kept back for
    /// Nothing interrupts while the lock is held: requests that are taken or placed meanwhile, and
    /// pieces of memory after which no more are.
    static constexpr u32 take_max = 8, place_max = 8, pieces_max = 16;
    static constexpr u32 drain_max = 512; ///< after so many a `drain` ends
    static constexpr u8 retries_max = 4, replays_max = 2;

    /// In memory of the heap, until it is closed. Errors: out_of_memory, those of DmaSpace::map.
    static Result<QueuePair*> open(
        device::DriverEnvironment const& environment,
        device::DmaSpace& dma,
        Registers const& registers,
        QueuePlan const& plan);
    QueuePair(QueuePair const&) = delete;
    QueuePair& operator=(QueuePair const&) = delete;
    /// The device reaches the queue no more, and nothing is in flight or waits. Context thread.
    void close();

    hal::DmaAddress submissions() const { return m_memory.submissions.address; }
    hal::DmaAddress completions() const { return m_memory.completions.address; }
    QueuePlan const& plan() const { return m_plan; }

    /// Starts a request whose room is made, and which its namespace has checked. Any context up to
    /// irq; no lock of rank `device` or above is held. Errors: io_failed (the controller is dead),
    /// those of DmaSpace::map. O(segments), or O(pages) for PRP lists.
    Result<void> submit(block::Request& request);
    /// Until `release`, the doorbell is kept back, but not for more than batch_max. They nest.
    void hold();
    void release();
    /// Takes what the controller is done with, and calls `done` for each; how many there were, at
    /// least drain_max where there may be more. Context thread or work; one call at a time: another
    /// returns at once, and the first one looks again.
    u32 drain();
    void presume_done();
    void note_interrupt() { m_interrupts.fetch_add(1, relaxed); }
    u32 poll() {
        m_polls.fetch_add(1, relaxed);
        return drain();
    }
    /// How long a command took lately, on average. Any context.
    Nanos mean_latency() const { return Nanos{m_latency.load(relaxed)}; }

    /// From now on what is submitted waits; what is in flight may end. Any context.
    void ebb();
    /// From now on what is submitted waits. Any context; when it returns, nobody rings.
    void stop();
    /// The controller has forgotten all: what was in flight is to be given to it again, before what
    /// waits, in the same order; what was so too often fails (timed_out). The queues are empty. It
    /// is stopped.
    void take_back(ResetCause cause);
    /// The controller has the queue again: what waits goes there.
    void resume();
    /// The controller is dead: what there is fails, and what comes is refused. Context thread or
    /// work.
    void kill(Error error);
    /// Whether nothing is in flight or is being given back; or waits, either.
    bool has_ebbed();
    bool is_at_rest();

    /// A command that is overdue, and whether its abort is, too. Each is told once.
    struct Overdue {
        u16 id;
        bool was_aborted;
    };
    std::optional<Overdue> next_overdue(Nanos now);
    /// The time is looked at again, once what was overdue has been dealt with.
    void watch_again();

    QueueCounts counts();

private:
    enum class SlotState : u8 { free, in_flight, aborting };
    enum class Gate : u8 { open, ebbing, stopped, dead };

    /// Two of them lie in a cache line.
    struct Slot {
        block::Request* request = nullptr;
        hal::DmaAddress address{}; ///< of the one piece
        u32 bytes = 0;             ///< of it
        u32 placed = 0;            ///< when, in ticks
        u16 id = 0;                ///< the number, and a count of uses
        u16 next = 0;              ///< free slot
        u8 pieces = 0;
        SlotState state = SlotState::free;
    };
    static_assert(sizeof(Slot) <= 32);

    struct Memory {
        PhysAddr frames{};
        u64 pages = 0;
        device::DmaMapping submissions;
        device::DmaMapping completions;
        device::DmaMapping lists;
        Bytes list_bytes{}; ///< of each slot
    };
    /// A completion as words.
    struct Entry {
        u64 words[2];
    };
    static_assert(sizeof(Entry) == sizeof(Completion));
    struct Taken {
        block::Request* request = nullptr;
        Result<void> outcome;
    };
    struct Haul {
        u32 count; ///< requests
        u32 seen;  ///< completions, of anything
    };

    QueuePair(
        device::DriverEnvironment const& environment,
        device::DmaSpace& dma,
        Registers const& registers,
        QueuePlan const& plan);
    ~QueuePair() = default;
    Result<void> take_memory();
    void make_slots();

    static constexpr u32 slot_bits = 7;
    static constexpr u16 slot_mask = (1u << slot_bits) - 1, no_slot = 0xffff;
    static_assert(entries_max <= 1u << slot_bits);
    /// A tick is 1024 ns, so that 32 bits hold an hour.
    static u32 ticks(Nanos time) { return static_cast<u32>(time.value >> 10); }

    Result<void> place(block::Request& request) REQUIRES(m_lock);
    Result<void> map_data(block::Request& request, Slot& slot, Command& command) REQUIRES(m_lock);
    Result<void> map_pieces(block::Request& request, Slot& slot, Command& command) REQUIRES(m_lock);
    Result<void>
    describe(block::Request& request, Slot& slot, Command& command, std::span<Piece const> pieces)
        REQUIRES(m_lock);
    void unmap(Slot& slot, block::Request const& request) REQUIRES(m_lock);
    void write_ranges(block::Request const& request, u16 index, Command& command) REQUIRES(m_lock);
    ListRoom list_room(u16 index) const;
    std::span<Piece> pieces_of(u16 index) {
        return m_pieces.subspan(usize{index} * segments_max, segments_max);
    }
    void free_slot(Slot& slot) REQUIRES(m_lock);
    void note_time() REQUIRES(m_lock) {
        if (!m_knows_time) {
            read_time();
        }
    }
    void read_time() REQUIRES(m_lock);
    /// Has somebody look at the time then, or before. A deadline for each request would be exact;
    /// but they are late only once.
    void watch_until(u32 due) REQUIRES(m_lock) {
        if (!m_is_watched || static_cast<i32>(due - m_watch_due) < 0) {
            watch_sooner(due);
        }
    }
    void watch_sooner(u32 due) REQUIRES(m_lock);
    u32 due_of(Slot const& slot) const REQUIRES(m_lock);
    bool can_place_waiting() const REQUIRES(m_lock);
    void place_all_waiting();
    bool take_back_last(ResetCause cause);
    bool fail_some(Error error);
    void ring() REQUIRES(m_lock);
    void ring_if_due() REQUIRES(m_lock);
    void acknowledge() REQUIRES(m_lock);
    Haul take(std::span<Taken, take_max> into) REQUIRES(m_lock);
    u32 take_failed(std::span<Taken, take_max> into) REQUIRES(m_lock);
    Slot* slot_of(Completion const& completion) REQUIRES(m_lock);
    std::optional<Taken> finish(Slot& slot, Status status) REQUIRES(m_lock);
    void forget_completions() REQUIRES(m_lock);
    void end_drain() REQUIRES(m_lock);
    void fail(block::Request& request, Error error) REQUIRES(m_lock);
    static void watch(void* self);

    device::DriverEnvironment m_environment;
    device::DmaSpace& m_dma; ///< of the queues
    Registers m_registers;
    QueuePlan m_plan;
    Memory m_memory;
    std::span<Command> m_submissions;
    std::span<Atomic<u64>> m_completions; ///< two words for each entry
    std::span<u64> m_lists;
    std::span<Slot> m_slots;
    std::span<Piece> m_pieces; ///< segments_max for each slot
    Bytes m_tail_doorbell;
    Bytes m_head_doorbell;

    alignas(sync::cache_line_bytes) sync::SpinLock m_lock{sync::LockRank::device};
    Gate m_gate GUARDED_BY(m_lock) = Gate::stopped;
    bool m_is_draining GUARDED_BY(m_lock) = false;
    bool m_knows_time GUARDED_BY(m_lock) = false; ///< m_now is that of this batch
    bool m_is_watched GUARDED_BY(m_lock) = false; ///< the timer is queued, or in its function
    bool m_phase GUARDED_BY(m_lock) = true;       ///< of the next completion
    u16 m_tail GUARDED_BY(m_lock) = 0;
    u16 m_head GUARDED_BY(m_lock) = 0;
    u16 m_free_first GUARDED_BY(m_lock) = no_slot;
    u16 m_in_flight GUARDED_BY(m_lock) = 0;
    u16 m_being_given_back GUARDED_BY(m_lock) = 0;
    u32 m_holds GUARDED_BY(m_lock) = 0;
    u32 m_unrung GUARDED_BY(m_lock) = 0;         ///< commands that the doorbell does not tell of
    u32 m_unacknowledged GUARDED_BY(m_lock) = 0; ///< completions
    u32 m_now GUARDED_BY(m_lock) = 0;            ///< in ticks
    u32 m_watch_due GUARDED_BY(m_lock) = 0;      ///< when the timer goes off
    u32 m_sequence GUARDED_BY(m_lock) = 0;
    u32 m_time_out = 0; ///< in ticks
    u32 m_abort_time = 0;
    IntrusiveList<block::Request, block::RequestsTag> m_waiting GUARDED_BY(m_lock);
    IntrusiveList<block::Request, block::RequestsTag> m_failed GUARDED_BY(m_lock);
    QueueCounts m_counts GUARDED_BY(m_lock);
    device::DmaLane m_data GUARDED_BY(m_lock); ///< of what is in flight
    processor::Timer m_timer;
    Atomic<u64> m_interrupts{0};
    Atomic<u64> m_polls{0};
    Atomic<i64> m_latency{0};
};

} // namespace twofold::nvme
