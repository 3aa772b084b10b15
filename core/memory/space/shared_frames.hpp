// Frames that several owners may hold: a page mapped in two spaces after a clone, a page of a
// memory object and each place that it is mapped at. A frame goes back to its source when the last
// owner releases it.
//
// Every frame has a word that counts its owners beyond the first, in an array over all of physical
// memory. So a frame that was just allocated needs no entry, sharing never allocates, and a large
// page may be divided, and small ones joined, without telling anybody: each frame has its own count
// and goes back by itself.
#pragma once

#include "core/memory/space/frame_supply.hpp"
#include "core/memory/space/remote_flush.hpp"

#include <span>
#include <utility>

namespace twofold::memory {

class SharedFrames {
public:
    using Count = Atomic<u32>;

    /// `counts[n]` belongs to the frame at n pages; all zero. Frames beyond the array cannot be
    /// shared. Both must outlive this object.
    SharedFrames(FrameSupply source, std::span<Count> counts)
        : m_source(source), m_counts(counts) {}
    SharedFrames(SharedFrames const&) = delete;
    SharedFrames& operator=(SharedFrames const&) = delete;

    /// A block with one owner; content undefined. Errors: as the source's.
    Result<PhysAddr> allocate(unsigned order);
    /// The same, filled with zeros. O(size).
    Result<PhysAddr> allocate_zeroed(unsigned order);

    /// Adds an owner to each frame of a block. O(frames).
    void share(PhysAddr block, unsigned order);
    /// Whether any frame of a block has more than one owner. O(frames).
    bool is_shared(PhysAddr block, unsigned order) const;
    /// Takes an owner from each frame of a block; those without another go back to the source.
    /// O(frames).
    void release(PhysAddr block, unsigned order);

    /// The word of a frame that is a page table: such a frame has one owner, so the engine counts
    /// the table's entries there. 0 again before the frame is released. O(1).
    Count& table_entries(PhysAddr table) const { return count(table); }

    /// Frames taken from the source and not yet given back.
    u64 in_use() const { return m_in_use.load(relaxed); }
    std::span<Count> counts() const { return m_counts; }
    FrameSupply source() const { return m_source; }
    /// Takes frames from `source` from now on, which passes those on that came from the one before
    /// when they go back; returns that one. For fault injection. O(1).
    FrameSupply exchange_source(FrameSupply source) { return std::exchange(m_source, source); }

    /// How other processors learn that translations of these frames are gone, before a frame goes
    /// back; null while there are none. Comes before a second processor can translate anything that
    /// changes, and outlives this object. Any context; O(1).
    void use_remote_flush(RemoteFlush const* flush) {
        m_remote_flush.store(flush, twofold::release);
    }
    RemoteFlush const* remote_flush() const { return m_remote_flush.load(acquire); }

private:
    Count& count(PhysAddr frame) const;
    void give_back(PhysAddr frame);

    FrameSupply m_source;
    std::span<Count> m_counts;
    Atomic<u64> m_in_use{0};
    Atomic<RemoteFlush const*> m_remote_flush{nullptr};
};

} // namespace twofold::memory
