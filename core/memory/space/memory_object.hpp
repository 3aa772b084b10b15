// A memory object: pages that several spaces map, each page zero until it is first touched. It
// lives in a frame of its own and goes when nothing refers to it any more: neither a reference nor
// a range.
//
// Several processors may ask for the same page at once: it is looked up without a lock; one that is
// not there is made before the object's lock is taken, and given back if another was quicker. The
// lock is of the rank of spaces, and no space's is held together with it.
#pragma once

#include "core/memory/space/frame_index.hpp"
#include "core/sync/sync.hpp"

#include <utility>

namespace twofold::memory {

class MemoryObjectReference;

class MemoryObject {
public:
    static constexpr Bytes size_max = page_size * FrameIndex::pages_max;

    /// An object of `size` bytes, a multiple of a page. Errors: invalid_argument (0, not a
    /// multiple, above size_max), out_of_memory. O(1).
    static Result<MemoryObjectReference> create(SharedFrames& frames, Bytes size);
    MemoryObject(MemoryObject const&) = delete;
    MemoryObject& operator=(MemoryObject const&) = delete;

    u64 pages() const { return m_pages; }
    Bytes size() const { return page_size * m_pages; }
    /// References and ranges that hold it. O(1).
    u64 references() const { return m_references.load(relaxed); }

    /// The frame of page `number` (below pages()), made and zeroed on the first call. The caller
    /// that keeps it adds itself as an owner. Errors: out_of_memory. Without a space's lock;
    /// O(depth of the index), and a page of zeros.
    Result<PhysAddr> frame(u64 number);

    /// The same, if the page is there already. Any context; O(depth of the index).
    std::optional<PhysAddr> find(u64 number) const { return m_index.get(number); }

    /// One holder more, one less: the last one ends the object. For ranges; others use references.
    void retain();
    static void release(MemoryObject& object);

private:
    MemoryObject(SharedFrames& frames, u64 pages)
        : m_frames(frames), m_pages(pages), m_index(frames, pages) {}

    Result<PhysAddr> keep(u64 number, PhysAddr fresh);

    SharedFrames& m_frames;
    u64 m_pages;
    Atomic<u64> m_references{1};
    sync::SpinLock m_lock{sync::LockRank::address_space}; ///< for changes of the index
    FrameIndex m_index;
};

/// Keeps a memory object alive. Moves; `share` makes another.
class MemoryObjectReference {
public:
    /// Takes over one reference that was counted already.
    explicit MemoryObjectReference(MemoryObject& object) : m_object(&object) {}
    MemoryObjectReference(MemoryObjectReference&& other)
        : m_object(std::exchange(other.m_object, nullptr)) {}
    MemoryObjectReference& operator=(MemoryObjectReference&&) = delete;
    ~MemoryObjectReference() {
        if (m_object != nullptr) {
            MemoryObject::release(*m_object);
        }
    }

    MemoryObjectReference share() const {
        m_object->retain();
        return MemoryObjectReference(*m_object);
    }
    MemoryObject& operator*() const { return *m_object; }
    MemoryObject* operator->() const { return m_object; }

private:
    MemoryObject* m_object;
};

} // namespace twofold::memory
