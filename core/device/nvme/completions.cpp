// The other half of queue_pair.hpp: how commands come back, are given again, and are overdue.
#include "core/device/nvme/queue_pair.hpp"
#include "hal/clock.hpp"
#include "hal/memory.hpp"

#include <cstring>

namespace twofold::nvme {

using block::Operation;
using block::Request;

/// The slot of a command that is in flight; null for what nobody waits for.
QueuePair::Slot* QueuePair::slot_of(Completion const& completion) {
    u16 const index = completion.id & slot_mask;
    if (index >= m_slots.size() || completion.submission_queue != m_plan.number) {
        return nullptr;
    }
    Slot& slot = m_slots[index];
    return slot.id == completion.id && slot.state != SlotState::free ? &slot : nullptr;
}

/// The next use of the slot has another identifier.
void QueuePair::free_slot(Slot& slot) {
    if (slot.pieces != 0) {
        unmap(slot, *slot.request);
    }
    u16 const index = slot.id & slot_mask;
    slot.request = nullptr;
    slot.state = SlotState::free;
    slot.id = static_cast<u16>(slot.id + (1u << slot_bits));
    slot.next = m_free_first;
    m_free_first = index;
    --m_in_flight;
}

/// What became of a command: nothing for the request's owner, where there is more to do for it.
std::optional<QueuePair::Taken> QueuePair::finish(Slot& slot, Status status) {
    Request& request = *slot.request;
    free_slot(slot);
    if (status.is_success()) [[likely]] {
        if (request.operation != Operation::write_zeroes) [[likely]] {
            return Taken{&request, {}};
        }
        constexpr u32 zeroes_max = 0x1'0000;
        IoRoom& room = request.room<IoRoom>();
        u32 const left = request.count - room.progress;
        if (left <= zeroes_max) {
            return Taken{&request, {}};
        }
        room.progress += zeroes_max;
        m_waiting.push_front(request);
        return std::nullopt;
    }
    Verdict const verdict = verdict_of(status);
    IoRoom& room = request.room<IoRoom>();
    if (verdict.may_retry && room.retries < retries_max) {
        ++room.retries;
        ++m_counts.retries;
        m_waiting.push_front(request);
        return std::nullopt;
    }
    ++m_counts.failed;
    return Taken{&request, verdict.error};
}

u32 QueuePair::take_failed(std::span<Taken, batch_max> into) {
    u32 count = 0;
    while (count < batch_max && !m_failed.empty()) {
        Request& request = m_failed.pop_front();
        into[count++] = {&request, request.room<IoRoom>().error};
        ++m_counts.failed;
    }
    return count;
}

/// Completions until there are none, or as many as `into` takes.
u32 QueuePair::take(std::span<Taken, batch_max> into) {
    u32 count = take_failed(into);
    u32 placed = m_now;
    u32 seen = 0;
    // A controller that writes completions of nothing for ever is left after a round.
    while (count < batch_max && seen < m_plan.entries) {
        // The second half of an entry has all that is of use here; it is read once, as one word.
        u64 const word = m_completions[usize{m_head} * 2 + 1].load(acquire);
        auto const completion = std::bit_cast<Completion>(Entry{{0, word}});
        if (((completion.status & 1) != 0) != m_phase) {
            break;
        }
        ++seen;
        ++m_unacknowledged;
        if (++m_head == m_plan.entries) {
            m_head = 0;
            m_phase = !m_phase;
        }
        Slot* const slot = slot_of(completion);
        if (slot == nullptr) [[unlikely]] {
            ++m_counts.spurious;
            continue;
        }
        placed = slot->placed;
        ++m_counts.completed;
        if (auto const taken = finish(*slot, Status::of(completion))) {
            into[count++] = *taken;
        }
    }
    if (seen != 0) {
        m_knows_time = false;
        note_time();
        i64 const latency = i64{m_now - placed} << 10;
        i64 const before = m_latency.load(relaxed);
        m_latency.store(before == 0 ? latency : before + (latency - before) / 8, relaxed);
    }
    return count;
}

/// One write says all that was taken; where nobody is interrupted, it can wait for more.
void QueuePair::acknowledge() {
    bool const can_wait = m_is_polled && m_in_flight != 0 && m_unacknowledged < m_plan.entries / 4u;
    if (m_unacknowledged == 0 || can_wait || m_gate > Gate::ebbing) {
        return;
    }
    m_unacknowledged = 0;
    ++m_counts.completion_doorbells;
    m_registers.write_32(m_head_doorbell, m_head);
}

/// Nobody drains any more, and the controller is told of all that was done meanwhile.
void QueuePair::end_drain() {
    acknowledge();
    m_is_draining = false;
    ring_if_due();
}

bool QueuePair::begin_drain() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_is_draining) {
        return false; // who drains looks again after this
    }
    m_is_draining = true;
    return true;
}

u32 QueuePair::drain() {
    if (!begin_drain()) {
        return 0;
    }
    Taken taken[batch_max]{};
    u32 total = 0;
    while (true) {
        u32 count = 0;
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            count = take(taken);
            place_waiting();
            m_being_given_back = static_cast<u16>(count);
            if (count == 0 && m_failed.empty()) {
                end_drain();
                return total;
            }
        }
        for (Taken const& each : std::span(taken).first(count)) {
            each.request->done(*each.request, each.outcome);
        }
        total += count;
        if (total >= drain_max) {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            m_being_given_back = 0;
            end_drain();
            return total;
        }
    }
}

void QueuePair::set_polled(bool is_polled) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_is_polled = is_polled;
    acknowledge();
}

void QueuePair::ebb() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    ring();
    m_gate = m_gate == Gate::open ? Gate::ebbing : m_gate;
}

void QueuePair::stop() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_gate = m_gate == Gate::dead ? Gate::dead : Gate::stopped;
}

/// No entry has the phase of the first round.
void QueuePair::forget_completions() {
    for (Atomic<u64>& word : m_completions) {
        word.store(0, relaxed);
    }
    m_head = 0;
    m_phase = true;
}

void QueuePair::take_back() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_gate >= Gate::stopped);
    Request* oldest_waiting = m_waiting.empty() ? nullptr : &m_waiting.front();
    for (Slot& slot : m_slots) {
        if (slot.state == SlotState::free) {
            continue;
        }
        Request& request = *slot.request;
        IoRoom& room = request.room<IoRoom>();
        free_slot(slot);
        ++m_counts.replays;
        if (room.replays++ == replays_max) {
            fail(request, Error::timed_out);
            continue;
        }
        // Among those that were in flight, in the order in which they were given.
        Request* successor = oldest_waiting;
        for (Request& each : m_waiting) {
            bool const is_later =
                static_cast<i32>(each.room<IoRoom>().sequence - room.sequence) > 0;
            if (&each == oldest_waiting || is_later) {
                successor = &each;
                break;
            }
        }
        if (successor != nullptr) {
            m_waiting.insert_before(*successor, request);
        } else {
            m_waiting.push_back(request);
        }
    }
    CHECK(m_in_flight == 0);
    std::memset(m_submissions.data(), 0, m_submissions.size_bytes());
    forget_completions();
    m_tail = 0;
    m_unrung = m_unacknowledged = 0;
}

void QueuePair::resume() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_gate != Gate::dead) {
        m_gate = Gate::open;
        m_knows_time = false;
        place_waiting();
        ring_if_due();
    }
}

void QueuePair::kill(Error error) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_gate = Gate::dead;
        for (Slot& slot : m_slots) {
            if (slot.state != SlotState::free) {
                Request& request = *slot.request;
                free_slot(slot);
                fail(request, error);
            }
        }
        while (!m_waiting.empty()) {
            fail(m_waiting.pop_front(), error);
        }
        forget_completions();
    }
    while (drain() >= drain_max) {
    }
}

bool QueuePair::has_ebbed() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_in_flight == 0 && m_failed.empty() && m_being_given_back == 0;
}

bool QueuePair::is_at_rest() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_in_flight == 0 && m_waiting.empty() && m_failed.empty() && m_being_given_back == 0;
}

/// Context irq.
void QueuePair::watch(void* self) {
    auto& queue = *static_cast<QueuePair*>(self);
    sync::SpinLockGuard const guard(queue.m_lock, sync::save_interrupts);
    queue.m_is_watched = false;
    if (queue.m_in_flight == 0 || queue.m_gate > Gate::ebbing) {
        return;
    }
    u32 const now = ticks(hal::Clock::now());
    std::optional<u32> earliest;
    for (Slot const& slot : queue.m_slots) {
        if (slot.state == SlotState::free) {
            continue;
        }
        u32 const due = queue.due_of(slot);
        bool const is_earlier = !earliest || static_cast<i32>(due - *earliest) < 0;
        earliest = is_earlier ? due : *earliest;
    }
    CHECK(earliest.has_value());
    if (static_cast<i32>(*earliest - now) <= 0) {
        queue.m_plan.overdue(queue.m_plan.owner);
        return;
    }
    queue.m_now = now;
    queue.watch_until(*earliest);
}

void QueuePair::watch_again() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_in_flight == 0 || m_gate != Gate::open) {
        return;
    }
    m_now = ticks(hal::Clock::now());
    for (Slot const& slot : m_slots) {
        if (slot.state != SlotState::free) {
            watch_until(due_of(slot));
        }
    }
}

std::optional<QueuePair::Overdue> QueuePair::next_overdue(Nanos now) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (Slot& slot : m_slots) {
        bool const is_overdue =
            slot.state != SlotState::free && static_cast<i32>(due_of(slot) - ticks(now)) <= 0;
        if (is_overdue) {
            bool const was_aborted = slot.state == SlotState::aborting;
            m_counts.timeouts += was_aborted ? 0 : 1;
            slot.state = SlotState::aborting;
            slot.placed = ticks(now);
            return Overdue{slot.id, was_aborted};
        }
    }
    return std::nullopt;
}

QueueCounts QueuePair::counts() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    QueueCounts counts = m_counts;
    counts.interrupts = m_interrupts.load(relaxed);
    counts.polls = m_polls.load(relaxed);
    return counts;
}

} // namespace twofold::nvme
