// Whether the clocks of two processors agree: both read the clock and hand the latest value to each
// other; a processor that reads less than what the other has read before has a clock that lags.
//
// Source: the warp test of Linux (arch/x86/kernel/tsc_sync.c) in its idea: no lock here, the latest
// value is one atomic word.
#pragma once

#include "core/base/base.hpp"

namespace twofold::processor {

/// One meeting of `parties` processors; each calls `take_part` once.
class ClockSkewTest {
public:
    /// How often each reads the clock once all have come.
    static constexpr u32 rounds = 2000;

    explicit ClockSkewTest(u32 parties) : m_parties(parties) {}

    /// Reads the clock and compares. Waits for the others to come, interrupts off; O(rounds).
    void take_part(Nanos (*read_clock)(), void (*relax)());
    /// Whether all have finished.
    bool is_over() const { return m_finished.load(acquire) == m_parties; }

    /// By how much a clock went backwards at most; zero: they agree. When it is over.
    Nanos worst() const { return {m_worst.load(relaxed)}; }
    u32 warps() const { return m_warps.load(relaxed); }

private:
    u32 m_parties;
    Atomic<u32> m_arrived{0};
    Atomic<u32> m_finished{0};
    Atomic<i64> m_latest{0};
    Atomic<i64> m_worst{0};
    Atomic<u32> m_warps{0};
};

} // namespace twofold::processor
