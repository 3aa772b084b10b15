// Calls that wait for one processor: any processor adds, that one takes them all. Lock-free; a call
// lies in its caller's memory, so adding cannot fail.
//
// Invariants: a call is in one queue at most, from `add` until its function has returned; from then
// on whoever waits may let it go. A queue that was not empty before `add` needs no new notice: the
// one who found it empty gives it.
//
// Source: R. Treiber, "Systems programming: coping with parallelism", IBM RJ 5118, 1986; nodes are
// taken all at once, so a node that comes back cannot be mistaken for the one it was. The numbered
// memory orders are each shown to be needed by `./twofold relacy`.
#pragma once

#include "core/base/base.hpp"

namespace twofold::sync {

/// A function that another processor is to run. Reused as often as it is no longer pending.
class Call {
public:
    using Function = void (*)(void* argument);

    Call() = default;
    Call(Function function, void* argument) { set(function, argument); }
    Call(Call const&) = delete;
    Call& operator=(Call const&) = delete;

    /// What is to be run. It is not pending.
    void set(Function function, void* argument) {
        CHECK(!is_pending() && function != nullptr);
        m_function = function;
        m_argument = argument;
    }

    /// Whether it waits or runs. False: what the function did is visible. O(1).
    bool is_pending() const {
        return m_pending.load(numbered(OrderSite::call_observe, acquire)) != 0;
    }

private:
    friend class CallQueue;

    Function m_function = nullptr;
    void* m_argument = nullptr;
    Call* m_next = nullptr; ///< the one that was added before it
    Atomic<u32> m_pending{0};
};

class CallQueue {
public:
    CallQueue() = default;
    CallQueue(CallQueue const&) = delete;
    CallQueue& operator=(CallQueue const&) = delete;

    /// Whether anything waits; for a processor that looks at its own queue in a loop. O(1).
    bool has_calls() const { return m_newest.load(relaxed) != nullptr; }

    /// Adds a call, with what its caller wrote before. True where the queue was empty: its
    /// processor has to be told. Any context; lock-free.
    bool add(Call& call) {
        CHECK(!call.is_pending() && call.m_function != nullptr);
        call.m_pending.store(1, relaxed); // the queue carries it
        Call* before = m_newest.load(relaxed);
        if (mutant(Mutant::calls_add_torn)) {
            call.m_next = before;
            m_newest.store(&call, release);
            return before == nullptr;
        }
        do {
            call.m_next = before;
        } while (!m_newest.compare_exchange(
            before, &call, numbered(OrderSite::call_add, release), relaxed));
        return before == nullptr;
    }

    /// Runs all calls that have been added, the oldest first. Only the processor that the queue
    /// belongs to. Returns how many. O(calls).
    u32 run() {
        if (!has_calls()) {
            return 0;
        }
        Call* newest = m_newest.exchange(nullptr, numbered(OrderSite::call_take, acquire));
        Call* oldest = nullptr;
        if (mutant(Mutant::calls_order)) {
            oldest = newest; // as it comes
            newest = nullptr;
        }
        while (newest != nullptr) {
            Call* const next = newest->m_next;
            newest->m_next = oldest;
            oldest = newest;
            newest = next;
        }
        u32 count = 0;
        while (oldest != nullptr) {
            Call& call = *oldest;
            oldest = call.m_next; // whoever waits lets the call go once it is done
            if (mutant(Mutant::calls_done_early)) {
                auto* const function = call.m_function;
                void* const argument = call.m_argument;
                call.m_pending.store(0, release);
                function(argument);
                ++count;
                continue;
            }
            call.m_function(call.m_argument);
            call.m_pending.store(0, numbered(OrderSite::call_done, release));
            ++count;
        }
        return count;
    }

private:
    Atomic<Call*> m_newest{nullptr};
};

} // namespace twofold::sync
