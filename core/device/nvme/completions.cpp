// The other half of queue_pair.hpp: how commands come back, are given again, and are overdue.
#include "core/device/nvme/queue_pair.hpp"
#include "hal/clock.hpp"
#include "hal/memory.hpp"

#include <algorithm>

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
    bool const is_this_use = slot.id == completion.id || mutant(Mutant::device_token_unchecked);
    return is_this_use && slot.state != SlotState::free ? &slot : nullptr;
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
    if (status.is_success() || mutant(Mutant::device_status_ignored)) [[likely]] {
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

u32 QueuePair::take_failed(std::span<Taken, take_max> into) {
    u32 count = 0;
    while (count < take_max && !m_failed.empty()) {
        Request& request = m_failed.pop_front();
        into[count++] = {&request, request.room<IoRoom>().error};
        ++m_counts.failed;
    }
    return count;
}

/// Completions until there are none, or as many as are taken under one hold of the lock.
QueuePair::Haul QueuePair::take(std::span<Taken, take_max> into) {
    u32 count = take_failed(into);
    u32 placed = m_now;
    u32 seen = 0;
    u32 pieces = 0;
    while (count < take_max && seen < take_max && pieces < pieces_max) {
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
            m_phase = m_phase == mutant(Mutant::device_phase_kept); // false, but in a mutant
        }
        Slot* const slot = slot_of(completion);
        if (slot == nullptr) [[unlikely]] {
            ++m_counts.spurious;
            continue;
        }
        placed = slot->placed;
        pieces += slot->pieces;
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
    return {count, seen};
}

/// One write says all that was taken; it waits for a quarter of the queue. What the controller
/// finds no place for meanwhile it has when that is rung.
void QueuePair::acknowledge() {
    bool const can_wait = m_unacknowledged < m_plan.entries / 4u;
    if (can_wait || m_gate > Gate::ebbing) {
        return;
    }
    m_unacknowledged = 0;
    ++m_counts.completion_doorbells;
    if (!mutant(Mutant::device_head_unrung)) {
        m_registers.write_32(m_head_doorbell, m_head);
    }
}

/// Nobody drains any more, and the controller is told of all that was done meanwhile.
void QueuePair::end_drain() {
    acknowledge();
    m_is_draining = false;
    ring_if_due();
}

u32 QueuePair::drain() {
    Taken taken[take_max];
    u32 total = 0;
    u32 barren = 0; // completions in a row that nobody waited for
    for (bool is_first = true;; is_first = false) {
        u32 count = 0;
        bool has_room = false;
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            if (is_first && m_is_draining) {
                return 0; // who drains looks again after this
            }
            m_is_draining = true;
            Haul const haul = take(taken);
            count = haul.count;
            barren = count == 0 ? barren + haul.seen : 0;
            has_room = can_place_waiting() && !mutant(Mutant::device_waiting_lost);
            m_being_given_back = static_cast<u16>(count);
            // A controller that writes completions of nothing for ever is left after a round.
            bool const is_empty = haul.seen == 0 || barren >= m_plan.entries;
            if (count == 0 && is_empty && m_failed.empty() && !has_room) {
                end_drain();
                return total;
            }
        }
        if (has_room) {
            place_all_waiting();
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

/// For the mutant alone: a request of which nothing says that it is done.
void QueuePair::presume_done() {
    std::optional<Taken> taken;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        auto const slot = std::ranges::find(m_slots, SlotState::in_flight, &Slot::state);
        if (slot != m_slots.end()) {
            taken = finish(*slot, Status{});
        }
    }
    if (taken) {
        taken->request->done(*taken->request, taken->outcome);
    }
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

/// Takes one of those that were in flight, the one that was given last; false: there is none.
bool QueuePair::take_back_last(ResetCause cause) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_gate >= Gate::stopped);
    Slot* last = nullptr;
    u32 last_sequence = 0;
    for (Slot& slot : m_slots) {
        if (slot.state == SlotState::free) {
            continue;
        }
        u32 const sequence = slot.request->room<IoRoom>().sequence;
        if (last == nullptr || static_cast<i32>(sequence - last_sequence) > 0) {
            last = &slot;
            last_sequence = sequence;
        }
    }
    if (last == nullptr) {
        return false;
    }
    Request& request = *last->request;
    free_slot(*last);
    ++m_counts.replays;
    if (mutant(Mutant::device_reset_forgets)) {
        return true;
    }
    if (cause == ResetCause::failure && request.room<IoRoom>().replays++ == replays_max) {
        fail(request, Error::timed_out);
    } else {
        m_waiting.push_front(request);
    }
    return true;
}

void QueuePair::take_back(ResetCause cause) {
    while (take_back_last(cause)) {
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_in_flight == 0);
    forget_completions();
    m_tail = 0;
    m_unrung = m_unacknowledged = 0;
}

void QueuePair::resume() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (m_gate == Gate::dead) {
            return;
        }
        m_gate = Gate::open;
        m_knows_time = false;
    }
    place_all_waiting();
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    ring_if_due();
}

/// Some of what there is, with an error; false: there is nothing.
bool QueuePair::fail_some(Error error) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_gate = Gate::dead;
    u32 count = 0;
    for (Slot& slot : m_slots) {
        if (slot.state != SlotState::free) {
            Request& request = *slot.request;
            free_slot(slot);
            fail(request, error);
            if (++count == place_max) {
                return true;
            }
        }
    }
    while (!m_waiting.empty() && count < place_max) {
        fail(m_waiting.pop_front(), error);
        ++count;
    }
    return count != 0;
}

void QueuePair::kill(Error error) {
    while (fail_some(error)) {
    }
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
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
        if (is_overdue && mutant(Mutant::device_stop_missing)) {
            slot.pieces = 0; // which the device reaches for ever
            Request& request = *slot.request;
            free_slot(slot);
            fail(request, Error::timed_out);
        } else if (is_overdue) {
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
