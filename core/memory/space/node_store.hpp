// Small objects of one type, carved out of frames: what lives below the heap keeps its nodes here.
// A frame goes back as soon as nothing in it is used.
#pragma once

#include "core/memory/space/flush_batch.hpp"
#include "core/memory/space/frame_stock.hpp"

#include <type_traits>
#include <utility>

namespace twofold::memory {

/// Not thread-safe, and takes and gives no frame itself, since its users hold a lock. Moves; the
/// moved-from store is empty.
template<class T>
class NodeStore {
    static_assert(std::is_trivially_destructible_v<T>);

    /// A slot of a frame: free, and then a link to the next free one, or an object.
    union Slot {
        Slot* next;
        T object;
    };
    /// What a frame begins with. Frames with a free slot are in a list.
    struct Slab {
        Slab* next = nullptr;
        Slab* previous = nullptr;
        Slot* free = nullptr;
        u64 used = 0;
    };
    static constexpr usize header_bytes = align_up(sizeof(Slab), alignof(Slot));

public:
    static constexpr usize slots = (page_size.value - header_bytes) / sizeof(Slot);
    static_assert(slots >= 2);

    NodeStore() = default;
    NodeStore(NodeStore&& other)
        : m_available(std::exchange(other.m_available, nullptr)),
          m_slabs(std::exchange(other.m_slabs, 0)),
          m_used(std::exchange(other.m_used, 0)) {}
    NodeStore& operator=(NodeStore&&) = delete;
    ~NodeStore() { CHECK(m_slabs == 0); }

    /// A new object, with the value given. Errors: busy (the stock has no frame for it). O(1), or
    /// O(slots) with a new frame.
    Result<T*> create(T const& value, FrameStock& stock) {
        if (m_available == nullptr) {
            std::optional<PhysAddr> const frame = stock.take({});
            if (!frame) {
                return Error::busy;
            }
            add_slab(*frame);
        }
        Slab& slab = *m_available;
        Slot* const slot = slab.free;
        slab.free = slot->next;
        ++slab.used;
        ++m_used;
        if (slab.free == nullptr) {
            unlink(slab);
        }
        return std::construct_at(&slot->object, value);
    }

    /// Gives an object of this store back; a frame that this empties goes with the batch. O(1).
    void destroy(T* object, FlushBatch& batch) {
        auto* const slot = room_for<Slot>(object);
        PhysAddr const frame = frame_of(object);
        Slab& slab = *frame_object<Slab>(frame);
        CHECK(slab.used > 0 && m_used > 0);
        --m_used;
        if (slab.free == nullptr) {
            link(slab);
        }
        slot->next = slab.free;
        slab.free = slot;
        if (--slab.used == 0) {
            unlink(slab);
            --m_slabs;
            batch.retire_table(frame);
        }
    }

    u64 used() const { return m_used; }    ///< objects
    u64 frames() const { return m_slabs; } ///< frames that hold them

private:
    void add_slab(PhysAddr frame) {
        Slab& slab = *std::construct_at(frame_object<Slab>(frame));
        auto const bytes = frame_bytes(frame, page_size).subspan(header_bytes);
        for (usize slot = slots; slot-- > 0;) {
            void* const place = bytes.subspan(slot * sizeof(Slot)).data();
            auto* const made = static_cast<Slot*>(place);
            made->next = slab.free;
            slab.free = made;
        }
        ++m_slabs;
        link(slab);
    }
    void link(Slab& slab) {
        slab.next = m_available;
        slab.previous = nullptr;
        if (m_available != nullptr) {
            m_available->previous = &slab;
        }
        m_available = &slab;
    }
    void unlink(Slab& slab) {
        if (slab.next != nullptr) {
            slab.next->previous = slab.previous;
        }
        (slab.previous != nullptr ? slab.previous->next : m_available) = slab.next;
    }

    Slab* m_available = nullptr;
    u64 m_slabs = 0;
    u64 m_used = 0;
};

} // namespace twofold::memory
