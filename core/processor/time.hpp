// Time as the kernel's code uses it: deadlines on the running processor, sleeping, waiting with a
// timeout, the wall clock. Until there are threads, whoever waits lets its processor sleep until an
// interrupt comes.
#pragma once

#include "core/processor/cpu_set.hpp"
#include "hal/clock.hpp"
#include "hal/cpu.hpp"

#include <optional>

namespace twofold::processor {

/// The machine's clock as what wakes a queue of deadlines.
extern Alarm const machine_alarm;

/// Starts `timer`, which is not queued, on the running processor. A deadline in the past goes off
/// at once. Any context but nmi. Errors: not_supported (the machine has no clock). O(1).
Result<void> start_timer(Timer& timer, Nanos deadline);

/// Returns when the clock has reached `deadline`, never before. Context thread or work, interrupts
/// on. Errors: not_supported.
Result<void> sleep_until(Nanos deadline);
inline Result<void> sleep_for(Nanos duration) {
    return sleep_until(hal::Clock::now() + duration);
}

/// Lets the processor sleep until an interrupt has been taken, and counts for how long. It may end
/// early. Interrupts are off, but for the sleep.
void idle(CpuLocal& cpu);

/// Lets the processor sleep until an interrupt has been taken, unless `is_over` is true already;
/// that is looked at with interrupts off, so that no interrupt can come between. Interrupts on.
template<class Condition>
void wait_for_interrupt(Condition const& is_over) {
    sync::InterruptGuard const off;
    if (!is_over()) {
        idle(this_cpu());
    }
}

/// A deadline that somebody waits for beside something else.
class Timeout {
public:
    Timeout() : m_timer([](void* self) { static_cast<Timeout*>(self)->pass(); }, this) {}
    ~Timeout() { TimerQueue::cancel_and_wait(m_timer); }
    Timeout(Timeout const&) = delete;
    Timeout& operator=(Timeout const&) = delete;

    /// Once. Errors: not_supported.
    Result<void> start(Nanos deadline) { return start_timer(m_timer, deadline); }
    bool has_passed() const { return m_has_passed.load(acquire) != 0; }

private:
    void pass() { m_has_passed.store(1, release); }

    Timer m_timer;
    Atomic<u32> m_has_passed{0};
};

/// Waits until `condition()` is true, which interrupts or other processors (with one) bring about.
/// Context thread or work, interrupts on. Errors: timed_out, not_supported.
template<class Condition>
Result<void> wait_until(Condition const& condition, Nanos deadline) {
    sync::require(sync::Ability::wait);
    Timeout timeout;
    TRY(timeout.start(deadline));
    while (!condition()) {
        if (timeout.has_passed()) {
            return Error::timed_out;
        }
        wait_for_interrupt([&] { return condition() || timeout.has_passed(); });
    }
    return {};
}

/// The wall clock: read from the machine once, and carried on by the monotonic clock.
class WallClock {
public:
    /// Nanoseconds since 1970-01-01 00:00 UTC; nothing where the machine has no such clock. The
    /// first call asks the machine, which may take a second. One context at a time.
    std::optional<Nanos> now() {
        if (!m_was_asked) {
            m_was_asked = true;
            auto const wall = hal::Clock::wall();
            m_has_base = wall.has_value();
            m_base = wall.value_or(Nanos{}) - hal::Clock::now();
        }
        return m_has_base ? std::optional(m_base + hal::Clock::now()) : std::nullopt;
    }

private:
    Nanos m_base{}; ///< of monotonic time 0
    bool m_was_asked = false;
    bool m_has_base = false;
};

} // namespace twofold::processor
