// A work-stealing deque of a fixed size: its owner pushes and pops at one end, thieves take what is
// oldest from the other. Only a part of it, from the old end on, is shared; the young end is the
// owner's own, which it pushes to and pops from without a fence or an atomic read-modify-write.
// What is private is little, and the owner shares of it when it pushes or pops: when it is asked
// to, and when thieves have taken everything else.
//
//       m_first          m_shared           m_end
//     ----[ shared: thieves ][ private: owner ]----> younger
//
// Invariants: m_first <= m_shared <= m_end, but for the moment in which the owner takes back the
// last one that is shared; m_end - m_first <= capacity. m_first only grows. What lies at m_first
// stays there for as long as m_first is the same: the owner takes it by advancing m_first, too.
//
// Source: D. Chase and Y. Lev, "Dynamic circular work-stealing deque", SPAA 2005; the memory orders
// of N. M. Le, A. Pop, A. Cohen and F. Zappa Nardelli, "Correct and efficient work-stealing for
// weak memory models", PPoPP 2013. The private part is that of T. van Dijk and J. van de Pol,
// "Lace: non-blocking split deque for work-stealing", Euro-Par 2014 workshops. The numbered memory
// orders are each shown to be needed by `./twofold relacy`; docs/threads.md has the others.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/sync.hpp"

#include <bit>

namespace twofold::task {

template<class Item, u32 capacity>
class WorkDeque {
public:
    static_assert(std::has_single_bit(capacity));

    WorkDeque() = default;
    WorkDeque(WorkDeque const&) = delete;
    WorkDeque& operator=(WorkDeque const&) = delete;

    /// Adds the youngest, in private; false if the deque is full. The owner; O(1).
    bool push(Item& item) {
        bool const is_refused = probe::fails(FaultPoint::forkjoin_push);
        bool const is_full = m_end - m_first.load(acquire) >= capacity;
        if (is_full || (is_refused && !mutant(Mutant::forkjoin_push_late))) [[unlikely]] {
            return false;
        }
        slot(m_end).store(&item, relaxed);
        ++m_end;
        return !is_refused;
    }

    /// Takes the youngest; null where there is none. The owner; O(1).
    Item* pop() {
        if (m_end == m_own_shared) [[unlikely]] {
            return reclaim();
        }
        --m_end;
        return slot(m_end).load(relaxed);
    }

    /// Whether the owner should share without being asked: thieves find nothing although there is
    /// something, or much is private. The owner; O(1).
    bool should_share() const {
        u64 const count = m_end - m_own_shared;
        return count > private_max || (count != 0 && m_first.load(relaxed) >= m_own_shared);
    }
    u32 private_count() const { return static_cast<u32>(m_end - m_own_shared); }

    /// Shares the oldest `count` of those that are private. The owner; O(1).
    void share(u32 count) {
        CHECK(count <= private_count());
        m_own_shared += count;
        show_shared(m_own_shared);
    }

    /// Takes the oldest that is shared; null where there is none, or somebody else was quicker.
    /// `may_take()` is asked while it can no longer become another one. Anybody; O(1).
    template<class May>
    Item* steal(May const& may_take) {
        u64 first = m_first.load(acquire);
        fence(numbered(OrderSite::deque_steal, sequential));
        u64 const shared = m_shared.load(numbered(OrderSite::deque_observe, acquire));
        if (first >= shared || !may_take()) {
            return nullptr;
        }
        Item* const item = slot(first).load(relaxed);
        return m_first.compare_exchange(first, first + 1, release, relaxed) ? item : nullptr;
    }

    /// Whether a thief might find something. Anybody; O(1).
    bool seems_shared() const { return m_first.load(relaxed) < m_shared.load(relaxed); }
    /// Whether nothing is in it. The owner; O(1).
    bool empty() const { return m_end == m_first.load(relaxed); }

private:
    static constexpr u64 private_max = 8;

    Atomic<Item*>& slot(u64 index) { return m_slots[index % capacity]; }

    /// Whoever reads any of these numbers sees what lies before it.
    void show_shared(u64 end) { m_shared.store(end, numbered(OrderSite::deque_share, release)); }

    /// The youngest that is shared, where nothing is private.
    [[gnu::noinline]] Item* reclaim() {
        if (m_first.load(relaxed) >= m_own_shared) {
            return nullptr; // it only grows
        }
        u64 const last = m_own_shared - 1;
        show_shared(last);
        fence(numbered(OrderSite::deque_reclaim, sequential));
        u64 first = m_first.load(relaxed);
        if (first < last || (first == last && mutant(Mutant::forkjoin_last_twice))) {
            m_own_shared = m_end = last;
            return slot(last).load(relaxed);
        }
        // The last one: thieves may be at it.
        bool const has_won =
            first == last && m_first.compare_exchange(first, first + 1, relaxed, relaxed);
        show_shared(m_own_shared);
        return has_won ? slot(last).load(relaxed) : nullptr;
    }

    // From 1 on, so that there is a number before the first.
    alignas(sync::cache_line_bytes) Atomic<u64> m_first{1}; ///< the oldest
    Atomic<u64> m_shared{1};                                ///< behind the youngest that is shared
    alignas(sync::cache_line_bytes) u64 m_own_shared = 1;   ///< the same; the owner's
    u64 m_end = 1;                                          ///< behind the youngest; the owner's
    Atomic<Item*> m_slots[capacity]{};
};

} // namespace twofold::task
