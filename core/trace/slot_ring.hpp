// A ring of fixed-size records that any number of writers fill and any number of readers copy,
// without a lock and without waiting. New records overwrite the oldest. It serves the log and the
// event ring.
//
// Each slot carries a sequence word, a seqlock of its own (Boehm, "Can seqlocks get along with
// programming language memory models?", MSPC 2012, the variant with fences and relaxed data):
//     2t      record t is complete, 0 while the slot was never written
//     2t - 1  record t is being written
// where t counts from 1. A writer owns a slot from the compare-exchange to the final store. A
// writer that was overtaken by a whole lap drops its record and counts it; it never waits, so the
// ring may be written from any context, a fault handler inside another writer included.
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <optional>

namespace twofold::trace {

/// `Slots` records of `Words` 64-bit words. Zero-initialised memory is a valid empty ring.
template<usize Words, usize Slots>
class SlotRing {
public:
    static_assert(is_power_of_two(Slots), "the slot of a record is its number modulo the slots");
    using Words64 = std::array<u64, Words>;

    static constexpr usize capacity = Slots;

    /// Appends a record. Lock-free; any context; O(Words).
    void push(Words64 const& record) {
        u64 const ticket = m_next.fetch_add(1, relaxed) + 1;
        Slot& slot = m_slots[ticket % Slots];
        u64 seen = slot.sequence.load(relaxed);
        bool const writable =
            seen % 2 == 0 && seen < 2 * ticket && !probe::fails(FaultPoint::trace_push);
        if (!writable || !slot.sequence.compare_exchange(seen, 2 * ticket - 1, relaxed, relaxed)) {
            m_dropped.fetch_add(mutant(Mutant::trace_drop_uncounted) ? 0 : 1, relaxed);
            return;
        }
        if (mutant(Mutant::trace_slot_early)) {
            slot.sequence.store(2 * ticket, relaxed);
        }
        fence(numbered(
            OrderSite::slot_ring_begin,
            release)); // the odd sequence is visible before any word of the new record
        for (usize i = 0; i < Words; ++i) {
            slot.words[i].store(record[i], relaxed);
        }
        slot.sequence.store(2 * ticket, numbered(OrderSite::slot_ring_publish, release));
    }

    /// How many records were ever appended, the overwritten and dropped ones included.
    u64 written() const { return m_next.load(acquire); }
    /// How many records were dropped because their writer was overtaken.
    u64 dropped() const { return m_dropped.load(relaxed); }

    /// The number of the oldest record that can still be there; records are numbered from 1.
    u64 oldest() const {
        u64 const last = written();
        return last > Slots ? last - Slots + 1 : 1;
    }

    /// A copy of record `number`, or nothing if it is overwritten, dropped or in the making.
    /// O(Words).
    std::optional<Words64> read(u64 number) const {
        Slot const& slot = m_slots[number % Slots];
        MemoryOrder const observe = numbered(OrderSite::slot_ring_observe, acquire);
        if (number == 0 || slot.sequence.load(observe) != 2 * number) {
            return std::nullopt;
        }
        Words64 copy{};
        for (usize i = 0; i < Words; ++i) {
            copy[i] = slot.words[i].load(relaxed);
        }
        fence(numbered(
            OrderSite::slot_ring_recheck,
            acquire)); // the words were read before the sequence is read again
        bool const is_same = slot.sequence.load(relaxed) == 2 * number;
        if (!is_same && !mutant(Mutant::trace_slot_unchecked)) {
            return std::nullopt;
        }
        return copy;
    }

    /// Calls visit(number, record) for each record that is there, oldest first. O(Slots * Words).
    template<class Visitor>
    void for_each(Visitor&& visit) const {
        u64 const last = written();
        u64 const first = oldest();
        CHECK(first >= 1);
        for (u64 number = first; number <= last; ++number) {
            u64 const wanted = mutant(Mutant::trace_ring_order) ? first + last - number : number;
            if (auto const record = read(wanted)) {
                visit(wanted, *record);
            }
        }
    }

private:
    struct Slot {
        Atomic<u64> sequence;
        Atomic<u64> words[Words];
    };

    Atomic<u64> m_next;
    Atomic<u64> m_dropped;
    Slot m_slots[Slots];
};

} // namespace twofold::trace
