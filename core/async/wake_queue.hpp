// What an executor runs, and how others hand it in: any context notes what has come for a runnable,
// and whoever notes the first thing queues it. Lock-free; the executor takes all that was queued at
// once.
//
// A runnable's word is 0 while it is nowhere and nothing was noted: who notes something then queues
// it, so it is in one queue at most, and two wake-ups before it runs count as one. It is cleared
// when the runnable begins to run, so that one that comes meanwhile queues it again; or the
// executor holds it, while it goes through its own queue without a wait, and looks at what came
// when it lets go.
//
// An executor that rests says so in the word that others add to: whoever adds the first one finds
// that out by the same operation, and wakes its thread. No fence, and no wake-up of one that is
// awake.
//
// Source of the queue: R. K. Treiber, "Systems programming: coping with parallelism", IBM RJ 5118,
// 1986, all taken at once. The numbered memory orders are each shown to be needed by
// `./twofold relacy`.
#pragma once

#include "core/base/base.hpp"

namespace twofold::async {

class WakeQueue;

/// An element of the queues of an executor. In memory of whoever runs.
class Runnable {
public:
    using Run = void (*)(Runnable& self);

    /// What can be noted of one; more than one at a time.
    static constexpr u32 woken = 1;   ///< a waker's word: it may go on, if it waits for that
    static constexpr u32 granted = 2; ///< what it waits for is its own
    static constexpr u32 asked = 4;   ///< it is to look whether it is to end

    /// Where it is held from the start on, its maker queues it; else the first note does.
    enum class From : u8 { note, maker };

    Runnable(Run function, From from) : m_state(from == From::maker ? held : 0), m_run(function) {}
    Runnable(Runnable const&) = delete;
    Runnable& operator=(Runnable const&) = delete;

    /// Notes `what`, with everything that was written before. True where the caller has to queue
    /// it: it is nowhere else. False: it is not touched by the caller any more. Any context; O(1).
    bool note(u32 what) {
        // Acquires as well: who queued it last has read the link.
        return m_state.fetch_or(what, joined(numbered(OrderSite::wake_note, release), acquire)) ==
               0;
    }

    /// It runs from now on: what was noted until now. Its executor; O(1).
    u32 begin() { return m_state.exchange(0, numbered(OrderSite::wake_begin, acquire)); }
    /// Nobody else queues it from now on. False: somebody has. Its executor, between `begin` and
    /// the next wait; O(1).
    bool hold() { return m_state.fetch_or(held, relaxed) == 0; }
    /// Ends that. False where something was noted meanwhile: its executor queues it. O(1).
    bool let_go() {
        u32 expected = held;
        return m_state.compare_exchange(expected, 0, release, relaxed);
    }

    void run() { m_run(*this); }

private:
    friend class WakeQueue;
    friend class RunQueue;

    static constexpr u32 held = 8; ///< by its executor, which will look

    Atomic<Runnable*> m_link{nullptr}; ///< in a queue: the next one
    Atomic<u32> m_state;
    Run m_run;
};

/// What waits for its turn, in order. Its executor's own.
class RunQueue {
public:
    bool empty() const { return m_first == nullptr; }
    /// O(1).
    void push(Runnable& last) {
        last.m_link.store(nullptr, relaxed);
        if (m_first == nullptr) {
            m_first = &last;
        } else {
            m_last->m_link.store(&last, relaxed);
        }
        m_last = &last;
    }
    Runnable* pop() {
        Runnable* const first = m_first;
        if (first != nullptr) {
            m_first = first->m_link.load(relaxed);
        }
        return first;
    }

private:
    Runnable* m_first = nullptr;
    Runnable* m_last = nullptr; ///< where there is a first
};

/// What others, and the executor itself, hand in.
class WakeQueue {
public:
    WakeQueue() = default;
    WakeQueue(WakeQueue const&) = delete;
    WakeQueue& operator=(WakeQueue const&) = delete;

    /// Whether there is nothing to take, and no rest to end. The executor.
    bool empty() const { return m_newest.load(relaxed) == nullptr; }
    /// Queues what `note` said to, with what was written before. True where the executor rests: its
    /// thread has to be woken. Any context; lock-free.
    bool add(Runnable& one) {
        Runnable* before = m_newest.load(relaxed);
        do {
            one.m_link.store(before == &m_rests ? nullptr : before, relaxed);
        } while (!m_newest.compare_exchange(
            before, &one,
            joined(
                numbered(OrderSite::wake_add, release), numbered(OrderSite::wake_rouse, acquire)),
            relaxed));
        return before == &m_rests;
    }

    /// Moves all to the end of `queue`, the oldest first, and ends the rest. Returns how many. The
    /// executor; O(moved).
    u32 take(RunQueue& queue) {
        if (empty()) {
            return 0;
        }
        Runnable* newest = m_newest.exchange(nullptr, numbered(OrderSite::wake_take, acquire));
        if (newest != &m_rests && newest->m_link.load(relaxed) == nullptr) { // often one alone
            queue.push(*newest);
            return 1;
        }
        Runnable* oldest = nullptr;
        while (newest != nullptr && newest != &m_rests) {
            Runnable* const next = newest->m_link.load(relaxed);
            newest->m_link.store(oldest, relaxed);
            oldest = newest;
            newest = next;
        }
        u32 count = 0;
        while (oldest != nullptr) {
            Runnable* const next = oldest->m_link.load(relaxed);
            queue.push(*oldest);
            oldest = next;
            ++count;
        }
        return count;
    }

    /// The executor is about to park: true where nothing has come. It rests until it takes. The
    /// executor; O(1).
    bool rest() {
        Runnable* expected = nullptr;
        return m_newest.compare_exchange(
                   expected, &m_rests, numbered(OrderSite::wake_rest, release), relaxed) ||
               expected == &m_rests;
    }

private:
    Atomic<Runnable*> m_newest{nullptr};
    Runnable m_rests{
        nullptr, Runnable::From::note}; ///< stands for an executor that rests; is never run
};

} // namespace twofold::async
