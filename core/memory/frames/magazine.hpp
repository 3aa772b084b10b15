// The magazine of one processor: single frames that it hands out and takes back without asking
// anybody. Frames come from the zones and return to them by the half magazine, so a processor that
// allocates and frees around one level takes a shared lock at most once in half a magazine.
//
// Source: J. Bonwick and J. Adams, "Magazines and vmem", USENIX ATC 2001, section 3; with one
// magazine and half of it exchanged where they have two and exchange a whole one.
#pragma once

#include "core/memory/frames/frame_allocator.hpp"
#include "core/sync/sync.hpp"

#include <algorithm>

namespace twofold::memory {

/// Owned by one processor, in a scope without preemption. Others may read the counts, and ask it to
/// be emptied.
class Magazine {
public:
    static constexpr u32 capacity_max = 64;
    static constexpr u32 capacity_least = 4;

    /// Before the first use: how many frames it holds at most, and the node that they come from.
    void set_up(u32 capacity, u32 node) {
        CHECK(capacity >= capacity_least && capacity <= capacity_max);
        m_capacity = capacity;
        m_room.store(capacity, relaxed);
        m_node = node;
    }

    u32 node() const { return m_node; }
    u32 count() const { return m_count.load(relaxed); }
    bool empty() const { return count() == 0; }
    /// How many frames it is filled up to with those of the zones.
    u32 batch() const { return m_capacity / 2; }
    /// How many go back to the zones at once: so few that the lock is not held for long.
    static constexpr u32 drained_at_once = 8;

    /// The frame that was pushed last, out of at least one. O(1).
    FrameNumber pop() {
        u32 const left = m_count.load(relaxed) - 1;
        CHECK(left < capacity_max); // none was left: it wraps
        m_count.store(left, relaxed);
        return m_frames[left];
    }
    /// O(1).
    void push(FrameNumber frame) {
        u32 const count = m_count.load(relaxed);
        CHECK(count < m_capacity);
        m_frames[count] = frame;
        m_count.store(count + 1, relaxed);
    }

    /// The `number` frames that were pushed first; `forget` takes them out. O(capacity).
    std::span<FrameNumber const> oldest(u32 number) const {
        return std::span(m_frames).first(std::min(number, count()));
    }
    void forget(u32 number) {
        u32 const count = m_count.load(relaxed);
        CHECK(number <= count);
        for (u32 i = number; i < count; ++i) {
            m_frames[i - number] = m_frames[i];
        }
        m_count.store(count - number, relaxed);
    }

    /// Asks the owner to empty it when it frees next. Any processor.
    void ask_to_drain() { m_room.store(0, relaxed); }
    bool drain_asked() const { return m_room.load(relaxed) == 0; }
    void drain_done() { m_room.store(m_capacity, relaxed); }
    /// Whether it is full, or was asked: to be drained before the next frame is pushed.
    bool wants_drain() const { return count() >= m_room.load(relaxed); }

    /// Counts of what this processor did. Only the owner adds.
    struct Counter {
        void add_one() { add(1); }
        void add(u64 count) { value.store(value.load(relaxed) + count, relaxed); }
        u64 read() const { return value.load(relaxed); }
        Atomic<u64> value{0};
    };
    Counter allocations;
    Counter frees;
    Counter failures;
    Counter refills;
    Counter drains;

private:
    Atomic<u32> m_count{0};
    u32 m_capacity = 0;
    u32 m_node = 0;
    Atomic<u32> m_room{0}; ///< the capacity, or 0 once it is asked to drain
    FrameNumber m_frames[capacity_max]{};
};

} // namespace twofold::memory
