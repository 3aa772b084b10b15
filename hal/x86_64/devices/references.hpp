// The clocks of known frequency that a machine may have, as calibration.hpp wants them: the HPET's
// counter, the 8254, and the processor's own counter where CPUID tells its frequency.
//
// Invariant: a register is read at the moment in which it changes, so that how long its tick lasts
// is no error.
#pragma once

#include "hal/x86_64/devices/calibration.hpp"
#include "hal/x86_64/devices/hpet.hpp"
#include "hal/x86_64/devices/legacy_timer.hpp"

namespace metal {

/// Polls `read` until what it returns changes. Errors: not_supported if that does not happen. The
/// slowest tick here takes a microsecond, and no access less than some nanoseconds.
template<Clocks C, class Read>
Result<Instant> catch_edge(C& clocks, Read read) {
    constexpr u32 polls_max = 10'000;
    u64 before = clocks.counter();
    auto const first = read();
    for (u32 poll = 0; poll < polls_max; ++poll) {
        u64 const next_before = clocks.counter();
        auto const value = read();
        if (value != first) {
            u32 const timer = clocks.timer();
            return Instant{before, clocks.counter(), value, timer};
        }
        before = next_before;
    }
    return Error::not_supported;
}

/// The counter of an HPET, which runs.
template<HpetRegisters Registers, Clocks C>
class HpetReference {
public:
    HpetReference(Hpet<Registers>& hpet, C& clocks) : m_hpet(hpet), m_clocks(clocks) {}

    u64 hz() { return m_hpet.hz(); }
    Result<Instant> catch_instant() {
        return catch_edge(m_clocks, [this] {
            u32 const count = m_hpet.count_low();
            m_ticks += count - m_last;
            m_last = count;
            return m_ticks;
        });
    }

private:
    Hpet<Registers>& m_hpet;
    C& m_clocks;
    u64 m_ticks = 0;
    u32 m_last = 0;
};

/// The 8254, which runs. An instant must be caught every 55 ms.
template<BytePorts Ports, Clocks C>
class LegacyTimerReference {
public:
    LegacyTimerReference(LegacyTimer<Ports> timer, C& clocks) : m_timer(timer), m_clocks(clocks) {}

    u64 hz() { return LegacyTimer<Ports>::hz; }
    Result<Instant> catch_instant() {
        return catch_edge(m_clocks, [this] {
            u16 const count = m_timer.count();
            m_ticks += static_cast<u16>(m_last - count);
            m_last = count;
            return m_ticks;
        });
    }

private:
    LegacyTimer<Ports> m_timer;
    C& m_clocks;
    u64 m_ticks = 0;
    u16 m_last = 0;
};

/// The counter itself: to measure the timer alone.
template<Clocks C>
class CounterReference {
public:
    CounterReference(u64 hz, C& clocks) : m_hz(hz), m_clocks(clocks) {}

    u64 hz() { return m_hz; }
    Result<Instant> catch_instant() {
        u64 const before = m_clocks.counter();
        u32 const timer = m_clocks.timer();
        u64 const after = m_clocks.counter();
        if (after == before) {
            return Error::not_supported;
        }
        Instant instant{before, after, 0, timer};
        instant.reference = instant.middle();
        return instant;
    }

private:
    u64 m_hz;
    C& m_clocks;
};

} // namespace metal
