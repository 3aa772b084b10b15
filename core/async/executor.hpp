// An executor: runs the tasks of one processor, in one thread. What is woken joins the end of its
// run queue; it goes through that in batches, and between two of them looks at the time and lets
// others have the processor. It sleeps where nothing is to be done, until the earliest deadline:
// all of its sleepers share the one alarm of its thread.
//
// It knows no kernel: what it needs of a machine is injected (World), so that the same source runs
// on threads of the kernel, on threads of a host, and under a clock that a test moves.
#pragma once

#include "core/async/wake_queue.hpp"
#include "core/processor/timer_heap.hpp"
#include "core/sync/sync.hpp"

#include <bit>
#include <optional>

namespace twofold::async {

class Executor;

/// A moment at which an executor calls `pass`. In memory of whoever waits, and that executor's own.
class Deadline : public processor::TimerNode {
public:
    using Pass = void (*)(Deadline& self);

    explicit Deadline(Pass pass) : m_pass(pass) {}

private:
    friend class Executor;

    Pass m_pass;
};

/// What an executor needs of its machine. It outlives the executor.
struct World {
    /// Monotonic. Any context.
    Nanos (*now)(void* object);
    /// Gives the executor's thread a permit: it has called `rest`. Any context but nmi.
    void (*wake)(void* object);
    void* object;
};

/// What an executor has done. Written by itself, read by anybody.
struct ExecutorCounts {
    Atomic<u64> started{0}; ///< tasks that began here
    Atomic<u64> ended{0};
    Atomic<u64> resumed{0}; ///< turns of tasks and of what else was queued
    Atomic<u64> woken{0};   ///< of these, through the wake queue
    Atomic<u64> batches{0}; ///< that had something to do
    Atomic<u64> sleeps{0};  ///< deadlines that were started
    Atomic<u64> passed{0};  ///< and have come
    Atomic<u64> rests{0};   ///< times that nothing was left to do
};

class Executor {
public:
    /// So many are resumed at most before the time is looked at, and others are let run; and so
    /// many deadlines pass at most before tasks are.
    static constexpr u32 batch_max = 64;

    explicit Executor(World const& world) : m_world(world) {}
    Executor(Executor const&) = delete;
    Executor& operator=(Executor const&) = delete;
    ~Executor();

    // ---- its own thread ----

    /// Code on that stack is its own, from here on; without one no code is known to be. Before it
    /// turns. The stack stays its thread's as long as anybody may ask.
    void set_stack(VirtAddr lowest, Bytes size) {
        m_stack_lowest.store(lowest.value, relaxed);
        m_stack_bytes.store(size.value, relaxed); // without it nobody is there
    }
    /// One batch. False where there is nothing more to do now. O(batch_max) resumptions.
    bool turn();
    /// Nothing has come since `turn` said so: the thread may park, until `next_deadline` at most;
    /// whoever queues something wakes it. False: it is not to. O(1).
    bool rest();
    /// The earliest; nothing where nobody sleeps. O(1).
    std::optional<Nanos> next_deadline() const;
    /// Queues a runnable that `note` said to queue, or that is begun. O(1).
    void add_own(Runnable& one) { m_ready.push(one); }
    /// The same for one that may come from anywhere: behind all that others have queued before.
    /// O(of these).
    void add_here(Runnable& one) {
        if (!m_woken.empty()) {
            take_woken();
        }
        m_ready.push(one);
    }
    /// Has the deadline pass once `at` has come, in order; equal ones in the order of starting.
    /// O(1).
    void start(Deadline& deadline, Nanos at);
    /// Withdraws one that has not passed. O(log n), amortised.
    void cancel(Deadline& deadline);
    ExecutorCounts& own_counts() { return m_counts; }

    // ---- anybody ----

    /// Queues a runnable that `note` said to queue. Any context but nmi, with no lock of rank
    /// `scheduler` or above. Lock-free but for waking the thread; O(1), from its own thread O(what
    /// others have queued).
    void add(Runnable& one) {
        if (is_here()) {
            add_here(one);
        } else if (m_woken.add(one)) {
            m_world.wake(m_world.object);
        }
    }
    /// Whether the caller is the executor's own thread, with no handler and no scope without
    /// preemption in between, so that nobody else is in the executor: it may do what only that
    /// thread does. Where it says no it may be wrong. Any context but nmi; O(1).
    ///
    /// Who stands on the stack is the thread, or a handler that came over it. A handler stays on
    /// its processor and sees its own context there. The thread may have been taken elsewhere
    /// between the two loads, and sees that of some other code; its own is `thread` all the same.
    bool is_here() const {
        // In a variable of its own type: clang's analyser (19) falls over the address itself.
        auto* const frame = static_cast<std::byte*>(__builtin_frame_address(0));
        u64 const depth = std::bit_cast<u64>(&*frame) - m_stack_lowest.load(relaxed);
        if (depth >= m_stack_bytes.load(relaxed)) {
            return false;
        }
        sync::CpuState const* const state = sync::cpu_state();
        return state == nullptr || state->context == sync::ExecutionContext::thread;
    }
    Nanos now() const { return m_world.now(m_world.object); }
    ExecutorCounts const& counts() const { return m_counts; }

private:
    static void count(Atomic<u64>& counter, u64 more) {
        counter.store(counter.load(relaxed) + more, relaxed); // nobody else writes it
    }
    bool take_woken();
    bool pass_deadlines();

    World m_world;
    RunQueue m_ready;
    processor::TimerHeap m_deadlines;
    Atomic<u64> m_stack_lowest{0};
    Atomic<u64> m_stack_bytes{0};
    ExecutorCounts m_counts;
    alignas(64) WakeQueue m_woken; ///< others write here
};

} // namespace twofold::async
