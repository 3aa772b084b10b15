// An address space: what is meant to lie where (ranges), and what the processor has been told so
// far (page tables). Pages are made when they are touched; a fault is a question to the ranges.
//
// Invariants: every leaf of the tables lies in a range and says no more than the range allows;
// every leaf of a range of kind zero, object or pinned holds one owner's share of its frame; a
// writable leaf of a range that shares nothing has no other owner. `check` walks both and compares.
//
// An operation that fails changes nothing that can be seen: ranges may be cut and large pages
// divided. One user at a time (a lock with the rank of spaces comes with more processors); faults
// of the space's own memory must not happen inside its operations, and do not: they touch memory
// through the linear window only.
//
// Neighbours: page_table.hpp, range_set.hpp, shared_frames.hpp, kernel_space.hpp. core/ reaches the
// memory of a space that is not the kernel's through copy_to and copy_from alone.
#pragma once

#include "core/memory/space/page_table.hpp"
#include "core/memory/space/range_set.hpp"
#include "hal/layout.hpp"

namespace twofold::memory {

/// What an access wants that the tables have refused.
struct FaultAccess {
    bool write = false;
    bool execute = false;
};

/// What a space has done since it was made.
struct SpaceStatistics {
    u64 zeroed = 0;      ///< faults answered with a page of zeros
    u64 from_object = 0; ///< faults answered with a page of a memory object
    u64 copied = 0;      ///< faults answered by copying a page that others own too
    u64 reused = 0;      ///< writes to a page whose other owners have gone
    u64 stale = 0;       ///< faults that the tables allowed already
    u64 refused = 0;     ///< faults that were errors
    u64 large_pages = 0; ///< made by faults, commit and promotion
    u64 flushes = 0;
};

/// What a walk over the whole space has found.
struct SpaceCensus {
    u64 ranges = 0;
    u64 pages = 0;       ///< of 4 KiB, mapped
    u64 large_pages = 0; ///< leaves above 4 KiB
    u64 tables = 0;      ///< page tables below the root
    u64 node_frames = 0; ///< frames that hold the ranges
};

class AddressSpace {
public:
    /// Where the lower half of the addresses ends, which other spaces than the kernel's have.
    static constexpr VirtAddr lower_half_end{
        u64{1} << (12 + PageTable<>::index_bits * PageTable<>::levels - 1)};
    /// The first address that a space other than the kernel's can use: a null pointer and what is
    /// near it never lead anywhere.
    static constexpr VirtAddr user_first{0x1'0000};

    /// An empty space beside the kernel's, whose root is `kernel_root`: the kernel is mapped in it,
    /// where only the kernel gets at it. Errors: out_of_memory. O(entries).
    static Result<AddressSpace> create(SharedFrames& frames, PhysAddr kernel_root);
    /// The kernel's own space, on tables that exist: see KernelSpace::adopt.
    static Result<AddressSpace>
    adopt(SharedFrames& frames, PhysAddr root, hal::KernelLayout const& windows);

    AddressSpace(AddressSpace&& other);
    AddressSpace& operator=(AddressSpace&&) = delete;
    /// Unmaps everything and gives every frame back; the kernel's own space only forgets. Must not
    /// be active.
    ~AddressSpace();

    // All of these take whole pages inside the space. Errors of each: invalid_argument (size 0, not
    // aligned, past the end of the address space), out_of_range (not canonical), permission_denied
    // (not this space's to use), out_of_memory. map_*: already_exists.

    /// Pages of zeros on demand, in pages of up to `level_max` (0: 4 KiB, 1: 2 MiB). O(log n).
    Result<void> map_zero(
        VirtAddr base,
        Bytes size,
        PageAccess access,
        unsigned level_max = 0,
        std::string_view name = "");
    /// Addresses at which every access is an error. O(log n).
    Result<void> map_guard(VirtAddr base, Bytes size, std::string_view name = "");
    /// The pages of `object` from `first_page` on, which must be there (out_of_range). Writes are
    /// seen by all that share, or make a copy for this space alone. O(log n).
    Result<void> map_object(
        VirtAddr base,
        Bytes size,
        MemoryObject& object,
        u64 first_page,
        PageAccess access,
        Sharing sharing,
        std::string_view name = "");
    /// Physical addresses as they are, at once, with the largest pages that fit. O(pages).
    Result<void> map_device(
        VirtAddr base,
        Bytes size,
        PhysAddr device,
        PageAccess access,
        hal::CacheMode cache,
        std::string_view name = "");
    /// Addresses whose pages are committed one by one. O(log n).
    Result<void> map_pinned(
        VirtAddr base,
        Bytes size,
        PageAccess access,
        unsigned level_max = 0,
        std::string_view name = "");

    /// Puts zeroed pages at a part of one pinned range; nothing may be there yet (already_exists).
    /// not_found: no such range. O(pages).
    Result<void> commit(VirtAddr base, Bytes size);
    /// Takes pages of one pinned range away, those that are there. not_found: no such range. Never
    /// out_of_memory: a large page that loses a part is divided by a table made of that part.
    /// O(pages).
    Result<void> decommit(VirtAddr base, Bytes size);

    /// Takes away whatever is in [base, base + size). not_found: nothing is. permission_denied: the
    /// machine's own mappings. O(pages).
    Result<void> unmap(VirtAddr base, Bytes size);
    /// Changes the rights of ranges that cover all of [base, base + size) (not_found). Guards and
    /// the machine's own mappings have none to change (permission_denied). O(pages).
    Result<void> protect(VirtAddr base, Bytes size, PageAccess access);
    /// Gathers aligned pieces that are wholly there, alike and owned by this space alone into 2 MiB
    /// pages; returns how many were made. not_found: a part has no range. O(bytes).
    Result<u64> promote(VirtAddr base, Bytes size);

    /// A space with the same contents: pages that are not shared are copied when either writes.
    /// Only of a space that is not the kernel's. Errors: out_of_memory. O(pages).
    Result<AddressSpace> clone();

    /// Answers a fault: makes the page, copies it, or finds that the access is allowed. Errors:
    /// not_found (nothing there), permission_denied, out_of_memory. Any context that may allocate
    /// frames. O(log n + page size).
    Result<void> resolve(VirtAddr address, FaultAccess wanted);

    /// Copies between the kernel's memory and this space, faults included. Errors: as resolve's,
    /// out_of_range, permission_denied; what lies before the page that failed has been copied.
    /// O(bytes).
    Result<void> copy_to(VirtAddr target, std::span<std::byte const> bytes);
    Result<void> copy_from(std::span<std::byte> bytes, VirtAddr source);

    /// Where `address` leads now. O(levels).
    std::optional<Translation> translate(VirtAddr address) { return m_table.translate(address); }
    /// The range that holds `address`, or null. O(log n).
    Range const* find(VirtAddr address) const { return m_ranges.find(address); }
    /// A free place in [first, end), see RangeSet::find_gap.
    Result<VirtAddr> find_gap(VirtAddr first, VirtAddr end, Bytes size, Bytes alignment) const {
        return m_ranges.find_gap(first, end, size, alignment);
    }
    template<class Visit>
    void for_each_range(Visit&& visit) const {
        for (Range const* range = m_ranges.first(); range != nullptr;
             range = RangeSet::next(*range)) {
            visit(*range);
        }
    }

    /// Makes this the running processor's space. O(1), and what is not global is forgotten.
    void activate() {
        m_was_active.store(true, relaxed);
        hal::Mmu::activate(m_table.root());
    }
    bool is_active() const { return hal::Mmu::root() == m_table.root(); }
    PhysAddr root() const { return m_table.root(); }
    SpaceStatistics const& statistics() const { return m_statistics; }
    SharedFrames& frames() const { return *m_frames; }

    /// Compares ranges and tables; Error::corrupted if an invariant is broken. O(pages + ranges).
    Result<SpaceCensus> check();

private:
    using Table = PageTable<>;
    enum class Owner : u8 { kernel, user };

    AddressSpace(
        SharedFrames& frames,
        Table table,
        PhysAddr kernel_root,
        Owner owner,
        hal::KernelLayout const& windows);

    Result<void> check_bounds(VirtAddr base, Bytes size) const;
    Result<void> check_user_bounds(VirtAddr base, Bytes size) const;
    Result<void> adopt_window(hal::Window const& window);
    Result<Range*> add_range(Range const& range);
    FlushBatch::Reach reach() const;
    bool owns_frames(Range const& range) const;
    PageAccess leaf_access(Range const& range, PhysAddr block, unsigned order) const;
    Leaf make_leaf(Range const& range, PhysAddr frame, PageAccess access) const;

    Result<void> split_at_ends(VirtAddr base, Bytes size, FlushBatch& batch);
    void unmap_pages(Range const& range, VirtAddr base, Bytes size, FlushBatch& batch);
    void drop_range(Range& range, FlushBatch& batch);
    void clear();
    PhysAddr split_pinned(VirtAddr boundary, VirtAddr inside, FlushBatch& batch);
    Range* pinned_range(VirtAddr base, Bytes size) const;
    Result<void> commit_next(Range const& range, VirtAddr base, Bytes size, Bytes& done);
    Result<void> require_ranges(VirtAddr base, Bytes size, bool changeable) const;
    Result<bool> collapse(Range const& range, VirtAddr block, FlushBatch& batch);
    Result<void> clone_range(Range const& range, AddressSpace& copy, FlushBatch& batch);

    Result<void> answer(Range const& range, VirtAddr page, FaultAccess wanted);
    Result<void> fill_zero(Range const& range, VirtAddr page);
    Result<void> fill_from_object(Range const& range, VirtAddr page, bool write);
    Result<void> write_to_shared(Range const& range, Translation found, VirtAddr page);
    Result<std::byte*> reach_page(VirtAddr address, bool write);

    bool is_unmapped(VirtAddr first, VirtAddr end);
    Result<void> check_part(VirtAddr first, VirtAddr end, SpaceCensus& census);
    void finish(FlushBatch& batch);

    SharedFrames* m_frames;
    Table m_table;
    RangeSet m_ranges;
    PhysAddr m_kernel_root;
    Owner m_owner;
    hal::KernelLayout m_windows;
    SpaceStatistics m_statistics{};
    bool m_is_empty = false;          ///< moved from
    Atomic<bool> m_was_active{false}; ///< on some processor: translations may be cached
};

} // namespace twofold::memory
