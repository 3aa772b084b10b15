// How a queue of rings comes to rest: for a while, or for good. See ring_queue.hpp.
#include "core/device/ring/ring_queue.hpp"

#include "core/task/task.hpp"

#include <algorithm>

namespace twofold::device {

void wait_a_little() {
    constexpr Nanos short_time{1'000'000};
    if (task::Threads* const threads = task::Threads::here()) {
        threads->sleep_for(short_time);
    } else {
        processor::sleep_for(short_time).value(); // there is a clock
    }
}

RingRequest* RingQueue::take_waiting() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_waiting.empty() ? nullptr : &m_waiting.pop_front();
}

bool RingQueue::is_finishing() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return std::ranges::any_of(m_slots, [](Slot const& slot) { return slot.state != State::free; });
}

void RingQueue::abandon() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        hal::Io::write_32(m_registers + ring_register::control, 0);
        m_is_dead = true;
        m_is_ended = true;
        m_is_suspended = true; // nothing that waits gets a slot
        for (Slot& slot : m_slots) {
            if (slot.state == State::in_flight || slot.state == State::overdue) {
                slot.state = State::abandoned;
            }
        }
    }
    stop_mastering();
    while (give_back_one(Error::io_failed)) {
    }
    while (RingRequest* const waiting = take_waiting()) {
        unmap(*waiting);
        waiting->done(*waiting, Error::io_failed);
    }
    while (is_finishing()) {
        wait_a_little(); // context work is at it
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_is_suspended = false; // what comes now is overdue at once, since the device is dead
}

/// Whether the device has a request that has a limit of time.
bool RingQueue::has_limited() {
    return std::ranges::any_of(m_slots, [](Slot const& slot) {
        return slot.state != State::free && slot.request->time_out != Nanos{};
    });
}

Result<void> RingQueue::suspend() {
    bool has_more = true;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (m_is_dead) {
            return Error::io_failed;
        }
        m_is_suspended = true;
    }
    while (has_more) {
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            has_more = has_limited();
            if (!has_more) {
                hal::Io::write_32(m_registers + ring_register::control, 0);
            }
        }
        if (has_more) {
            wait_a_little();
        }
    }
    return {};
}

Result<void> RingQueue::resume() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_is_suspended = false;
    if (!start()) {
        return Error::io_failed;
    }
    for (Slot& slot : m_slots) {
        if (slot.state == State::in_flight) {
            hand_over(slot);
        }
    }
    place_waiting();
    return {};
}

} // namespace twofold::device
