// See clock_skew.hpp.
#include "core/processor/clock_skew.hpp"

namespace twofold::processor {

namespace {

/// Lifts `word` to at least `value`.
void lift(Atomic<i64>& word, i64 value) {
    i64 seen = word.load(relaxed);
    while (seen < value && !word.compare_exchange(seen, value, acquire_release, acquire)) {
    }
}

} // namespace

void ClockSkewTest::take_part(Nanos (*read_clock)(), void (*relax)()) {
    CHECK(m_arrived.load(relaxed) < m_parties);
    m_arrived.fetch_add(1, acquire_release);
    while (m_arrived.load(acquire) < m_parties) {
        relax();
    }
    for (u32 round = 0; round < rounds; ++round) {
        // The clock is read after the latest value, so it may not be less.
        i64 const latest = m_latest.load(acquire);
        i64 const now = read_clock().value;
        if (now < latest) {
            m_warps.fetch_add(1, relaxed);
            lift(m_worst, latest - now);
        }
        lift(m_latest, now);
    }
    m_finished.fetch_add(1, release);
}

} // namespace twofold::processor
