// The ideal fluid schedule: at every instant all threads that want to run do so at once, each at a
// rate in proportion to its weight, but none faster than one processor; what one cannot use is
// shared by the others. Affinities and the differences between processors do not count in it.
//
// A thread's *lag* is what it would have received there since it woke, less what it did receive.
//
// Virtual time grows by the rate for a unit of weight, so that a change costs O(log threads +
// processors), and not a look at every thread.
//
// Source: A. Demers, S. Keshav and S. Shenker, "Analysis and simulation of a fair queueing
// algorithm", SIGCOMM 1989 (the fluid model); A. Chandra, M. Adler, P. Goyal and P. Shenoy,
// "Surplus fair scheduling", OSDI 2000 (weights that several processors cannot honour).
#pragma once

#include "core/base/base.hpp"

#include <set>
#include <vector>

namespace twofold::lab {

class FluidSchedule {
public:
    FluidSchedule(usize threads, u32 cpus) : m_threads(threads), m_cpus(cpus) {}

    void set_weight(u32 thread, u32 weight) { m_threads[thread].weight = weight; }
    /// `thread` wants to run from `now` on.
    void join(u32 thread, Nanos now);
    void leave(u32 thread, Nanos now);
    /// So many processors are there for these threads from `now` on.
    void set_cpus(u32 cpus, Nanos now);
    /// What it would have received since it joined, in nanoseconds; for one that has joined.
    double received(u32 thread, Nanos now);

private:
    struct Thread {
        u32 weight = 1024;
        bool wants = false;
        bool is_capped = false; ///< has a processor to itself
        double received = 0;    ///< up to `virtual_mark`, or to `mark`
        double virtual_mark = 0;
        Nanos mark{};
    };

    void advance(Nanos now);
    void settle(Thread& thread) const;
    /// Who has a processor to itself, and the rate of the others.
    void share();

    std::vector<Thread> m_threads;
    std::set<std::pair<u32, u32>> m_wanting; ///< weight and number
    std::vector<u32> m_capped;
    u64 m_weight = 0; ///< of all that want to run
    u32 m_cpus;
    double m_rate = 0; ///< for a unit of weight
    double m_virtual = 0;
    Nanos m_now{};
};

} // namespace twofold::lab
