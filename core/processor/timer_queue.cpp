// See timer_queue.hpp.
#include "core/processor/timer_queue.hpp"

#include <algorithm>
#include <utility>

namespace twofold::processor {

void TimerQueue::start(Timer& timer, Nanos deadline) {
    CHECK(is_open());
    Nanos const now = m_alarm->now(m_alarm->object);
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    timer.m_due = std::max(deadline, now);
    timer.m_queue.store(this, release);
    m_heap.add(timer, deadline);
    ++m_statistics.started;
    bool const was_empty = m_heap.size() == 1;
    if (m_heap.first() == &timer && (was_empty || !mutant(Mutant::timers_earlier_missing))) {
        m_alarm->arm(m_alarm->object, deadline);
    }
}

bool TimerQueue::cancel(Timer& timer) {
    TimerQueue* const queue = timer.m_queue.load(acquire);
    if (queue == nullptr) {
        return false;
    }
    sync::SpinLockGuard const guard(queue->m_lock, sync::save_interrupts);
    if (!timer.is_queued()) {
        return false;
    }
    // The alarm may come for nothing now: another processor's cannot be set from here, and that of
    // one's own is not worth setting twice.
    queue->m_heap.remove(timer);
    ++queue->m_statistics.cancelled;
    return true;
}

bool TimerQueue::cancel_and_wait(Timer& timer) {
    bool const withdrawn = cancel(timer);
    TimerQueue const* const queue = timer.m_queue.load(acquire);
    while (queue != nullptr && queue->m_running.load(acquire) == &timer &&
           !mutant(Mutant::timers_cancel_early)) {
        sync::relax(); // for as long as the function runs
    }
    return withdrawn;
}

Timer* TimerQueue::take_due(Nanos now) {
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_are_off);
    TimerNode* first = m_heap.first();
    while (first != nullptr && mutant(Mutant::timers_late_skipped) &&
           now - static_cast<Timer*>(first)->m_due > Nanos{1'000'000}) {
        m_heap.remove(*first);
        first = m_heap.first();
    }
    if (first == nullptr || first->deadline() > now) {
        return nullptr;
    }
    m_heap.remove(*first);
    ++m_statistics.expired;
    auto* const timer = static_cast<Timer*>(first);
    m_running.store(timer, relaxed); // before the lock is given back, so before `cancel` can fail
    return timer;
}

u32 TimerQueue::expire() {
    CHECK(is_open() && hal::Interrupt::state() == hal::InterruptState::disabled);
    Nanos const now = m_alarm->now(m_alarm->object);
    u32 count = 0;
    bool is_full = false;
    while (!is_full) {
        Timer* const timer = take_due(now);
        if (timer == nullptr) {
            break;
        }
        // One that was started in this batch, for a time in the past, is due a little after `now`.
        m_lateness.add(static_cast<u64>(std::max(now - timer->m_due, Nanos{}).value));
        timer->m_function(timer->m_argument); // and with that the timer may be gone
        m_running.store(nullptr, release);
        ++count;
        is_full = count == batch_max || m_alarm->now(m_alarm->object) - now >= batch_time;
    }
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_are_off);
    ++m_statistics.alarms;
    m_in_a_row = is_full ? m_in_a_row + count : 0;
    if (is_full && mutant(Mutant::timers_rearm_missing)) {
        return count;
    }
    arm_earliest(pause(now));
    return count;
}

/// The earliest time of the next alarm.
Nanos TimerQueue::pause(Nanos now) {
    constexpr Nanos at_once{INT64_MIN};
    if (m_in_a_row < in_a_row_max) {
        return at_once;
    }
    m_in_a_row = 0;
    ++m_statistics.overruns;
    return now + overrun_pause;
}

void TimerQueue::arm_earliest(Nanos not_before) {
    if (TimerNode const* const first = m_heap.first()) {
        m_alarm->arm(m_alarm->object, std::max(first->deadline(), not_before));
    }
}

usize TimerQueue::pending() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_heap.size();
}

bool TimerQueue::earliest(Nanos& deadline) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    TimerNode const* const first = m_heap.first();
    deadline = first != nullptr ? first->deadline() : Nanos{};
    return first != nullptr;
}

TimerStatistics TimerQueue::statistics() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_statistics;
}

} // namespace twofold::processor
