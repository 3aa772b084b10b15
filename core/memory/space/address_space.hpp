// An address space: what is meant to lie where (ranges), and what the processor has been told so
// far (page tables). Pages are made when they are touched; a fault is a question to the ranges.
//
// Invariants: every leaf of the tables lies in a range and says no more than the range allows;
// every leaf of a range of kind zero, object or pinned holds one owner's share of its frame; a
// writable leaf of a range that shares nothing has no other owner. `check` walks both and compares.
//
// An operation that fails changes nothing that can be seen: ranges may be cut and large pages
// divided.
//
// Several processors may do anything at once. Each space has a lock, and an operation is a row of
// steps under it, each bounded, so that nobody waits long. Interrupts come. What a step may
// need is made before the lock is taken: tables and nodes (frame_stock.hpp), zeroed or copied
// pages. Then the step looks again, and what has changed meanwhile makes it begin anew. A step ends
// with the flush of what it has changed, on all processors, before the lock is given back: so
// nobody maps, copies or writes where another processor still has an old translation. Frames and
// memory objects are given back behind the lock. Operations that work on the same addresses at the
// same time each do their part, step by step; neither sees half a step of the other.
//
// Faults of the space's own memory must not happen under its lock, and do not: pages are touched
// through the linear window only, and buffers of callers without the lock.
//
// Neighbours: page_table.hpp, range_set.hpp, shared_frames.hpp, kernel_space.hpp. core/ reaches the
// memory of a space that is not the kernel's through copy_to and copy_from alone.
#pragma once

#include "core/memory/space/page_table.hpp"
#include "core/memory/space/range_set.hpp"
#include "core/sync/sync.hpp"
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

/// Where a range may lie, and what comes with it.
struct Placement {
    VirtAddr first; ///< of the window to look in
    VirtAddr end;
    Bytes alignment = page_size; ///< of the place: guards, offset and range together
    Bytes guard_below{};
    Bytes offset{}; ///< addresses between the guard and the range that stay free
    Bytes guard_above{};
    std::string_view guard_name{};
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

    /// Of a space that nobody else uses.
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

    /// Maps `range`, whose base is not looked at, at the lowest free place that `placement`
    /// permits, with its guards, all at once; returns its base. A device's pages follow step by
    /// step. Errors: as map_*'s, no_space. O(ranges in the window).
    Result<VirtAddr> map_somewhere(Placement const& placement, Range range);

    /// Puts zeroed pages at a part of one pinned range; nothing may be there yet (already_exists).
    /// not_found: no such range. O(pages).
    Result<void> commit(VirtAddr base, Bytes size);
    /// Takes pages of one pinned range away, those that are there; nobody touches them any more.
    /// not_found: no such range. A large page that loses a part is divided by a table made of that
    /// part, so this is never out_of_memory, but where the page is shared with a clone. O(pages).
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
    std::optional<Translation> translate(VirtAddr address);
    /// What the range that holds `address` is now. O(log n).
    std::optional<Range> find(VirtAddr address) const;
    /// A free place in [first, end): the lowest for `size` bytes at a multiple of `alignment`, as
    /// long as nobody else takes it. Errors: no_space. O(ranges in the window).
    Result<VirtAddr> find_gap(VirtAddr first, VirtAddr end, Bytes size, Bytes alignment) const;
    /// Calls visit(range) for each range, ascending, without the lock.
    template<class Visit>
    void for_each_range(Visit&& visit) const {
        std::optional<Range> range = next_range({});
        while (range) {
            visit(*range);
            range = next_range(range->end());
        }
    }

    /// Makes this the running processor's space. O(1), and what is not global is forgotten.
    void activate();
    bool is_active() const { return hal::Mmu::root() == m_root; }
    PhysAddr root() const { return m_root; }
    SpaceStatistics statistics() const;
    SharedFrames& frames() const { return *m_frames; }

    /// Compares ranges and tables, while nobody changes them; Error::corrupted if an invariant is
    /// broken. O(pages + ranges).
    Result<SpaceCensus> check();

private:
    using Table = PageTable<>;
    enum class Owner : u8 { kernel, user };
    /// How much of a table one step looks at or changes, see PageTable::unlimited.
    static constexpr u64 step_budget = 48;
    /// What the copy operations move while they hold the lock.
    static constexpr usize copy_piece_bytes = 256;
    /// Ranges that one step passes.
    static constexpr unsigned step_ranges = 16;

    struct Promotion;
    /// What an operation takes along from step to step.
    struct Work {
        Work(SharedFrames& frames) : stock(frames), batch(frames, FlushBatch::Reach::cached) {}
        Work(Work const&) = delete;
        Work& operator=(Work const&) = delete;
        ~Work() { settle(); }
        /// Gives back what the last step has left. Without the lock.
        void settle();

        FrameStock stock;
        FlushBatch batch;
        DroppedObjects dropped;
        Promotion* promotion = nullptr; ///< that is its own
    };
    struct FreshPage;
    struct PageWanted;
    struct CloneWork;

    AddressSpace(
        SharedFrames& frames,
        PhysAddr root,
        PhysAddr kernel_root,
        Owner owner,
        hal::KernelLayout const& windows);

    template<class Step>
    auto attempt(Work& work, Step&& step) -> decltype(step());
    template<class Step>
    Result<void> sweep(Work& work, VirtAddr base, Bytes size, Step&& step);
    void begin_step(Work& work) REQUIRES(m_lock);
    void end_step(Work& work) REQUIRES(m_lock);
    void disturb(Work const& work) REQUIRES(m_lock);

    Result<void> check_bounds(VirtAddr base, Bytes size) const;
    Result<void> check_user_bounds(VirtAddr base, Bytes size) const;
    Result<void> adopt_window(hal::Window const& window, Work& work) REQUIRES(m_lock);
    Result<void> add_range(Range const& range);
    Result<void> insert_placed(Placement const& placement, Range const& range, Work& work)
        REQUIRES(m_lock);
    Result<void> map_device_pages(Range const& range, Work& work);
    Result<Bytes> map_device_next(Range const& device, VirtAddr at, Work& work) REQUIRES(m_lock);
    bool owns_frames(Range const& range) const;
    PageAccess leaf_access(Range const& range, Leaf const& leaf, unsigned level) const;
    Leaf make_leaf(Range const& range, PhysAddr frame, PageAccess access) const;

    Result<void> split_at_ends(VirtAddr base, Bytes size, Work& work) REQUIRES(m_lock);
    Result<Range*> range_within(VirtAddr at, Bytes size, Work& work) REQUIRES(m_lock);
    Bytes unmap_pages(
        Range const& range,
        VirtAddr base,
        Bytes size,
        Work& work,
        std::span<PhysAddr const> kept = {}) REQUIRES(m_lock);
    Result<Bytes> unmap_next(VirtAddr at, Bytes size, Work& work) REQUIRES(m_lock);
    void drop_range(Range& range, Work& work) REQUIRES(m_lock);
    Result<void> take_away(VirtAddr base, Bytes size);
    void clear();
    Range* pinned_range(VirtAddr base, Bytes size) const REQUIRES(m_lock);
    Result<PhysAddr> split_pinned(VirtAddr boundary, VirtAddr inside, Work& work);
    Result<void>
    decommit_pages(VirtAddr base, Bytes size, Work& work, std::span<PhysAddr const> kept);
    Result<void> commit_next(VirtAddr base, Bytes size, Work& work, Bytes& done);
    Result<unsigned> commit_level(VirtAddr base, Bytes size) REQUIRES(m_lock);
    Result<void> commit_pages(
        VirtAddr base, std::span<PhysAddr> blocks, unsigned level, Work& work, Bytes& done);
    enum class Must : u8 { exist, change };
    Result<void> require_ranges(VirtAddr base, Bytes size, Must must) const;
    Result<Bytes> protect_next(VirtAddr at, Bytes size, PageAccess access, Work& work)
        REQUIRES(m_lock);
    Result<Bytes> adjust_next(VirtAddr at, Bytes size, Work& work) REQUIRES(m_lock);
    bool can_collapse(VirtAddr block) REQUIRES(m_lock);
    Result<bool> collapse(VirtAddr block);
    bool copy_and_replace(Promotion& promotion, PhysAddr large, Work& work);
    Result<Bytes> gather(Promotion& promotion, VirtAddr at, Work& work) REQUIRES(m_lock);
    bool complete(Promotion& promotion, PhysAddr large, Work& work) REQUIRES(m_lock);
    Result<Bytes> clone_next(VirtAddr at, Bytes size, AddressSpace& copy, CloneWork& work)
        REQUIRES(m_lock);
    Result<Bytes> clone_pages(Range const& piece, AddressSpace& copy, CloneWork& work)
        REQUIRES(m_lock);

    Result<PageWanted> answer(VirtAddr page, FaultAccess wanted, FreshPage& fresh, Work& work)
        REQUIRES(m_lock);
    Result<PageWanted> fill_zero(Range const& range, VirtAddr page, FreshPage& fresh, Work& work)
        REQUIRES(m_lock);
    Result<PageWanted>
    fill_from_object(Range const& range, VirtAddr page, bool write, FreshPage& fresh, Work& work)
        REQUIRES(m_lock);
    Result<PageWanted>
    widen(Range const& range, Translation found, VirtAddr page, FreshPage& fresh, Work& work)
        REQUIRES(m_lock);
    Result<std::byte*> reach_page(VirtAddr address, bool write) REQUIRES(m_lock);
    template<class Touch>
    Result<void> with_page(VirtAddr address, bool write, Touch&& touch);

    std::optional<Range> next_range(VirtAddr from) const;
    bool is_unmapped(VirtAddr first, VirtAddr end);
    bool has_leaf(VirtAddr first, Bytes size);
    Result<void> check_range(Range const& range, SpaceCensus& census);
    Result<void> check_part(VirtAddr first, VirtAddr end, SpaceCensus& census);

    // These never change.
    SharedFrames* m_frames;
    PhysAddr m_root;
    PhysAddr m_kernel_root;
    Owner m_owner;
    hal::KernelLayout m_windows;
    bool m_is_empty = false; ///< moved from

    mutable sync::SpinLock m_lock{sync::LockRank::address_space};
    Table m_table GUARDED_BY(m_lock);
    RangeSet m_ranges GUARDED_BY(m_lock);
    SpaceStatistics m_statistics GUARDED_BY(m_lock){};
    /// On some processor, once: translations may be cached there.
    bool m_was_active GUARDED_BY(m_lock) = false;
    /// Changes whenever frames of this space get an owner more.
    u64 m_sharings GUARDED_BY(m_lock) = 0;
    /// Of blocks that are being copied into large pages.
    Promotion* m_promotions GUARDED_BY(m_lock) = nullptr;
};

/// Runs step() under the lock until it has what it needs; then its outcome. What it changed is
/// flushed before the lock is given back, what it released is given back after.
template<class Step>
auto AddressSpace::attempt(Work& work, Step&& step) -> decltype(step()) {
    while (true) {
        if (Result<void> const prepared = Table::prepare(work.stock); !prepared) {
            work.stock.forget_wanted();
            return prepared.error();
        }
        auto outcome = [&] {
            sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
            begin_step(work);
            auto result = step();
            end_step(work);
            return result;
        }();
        work.settle();
        if (outcome || !work.stock.is_short()) {
            return outcome;
        }
    }
}

/// Goes over [base, base + size) with step(address, bytes left), which answers how many bytes are
/// done.
template<class Step>
Result<void> AddressSpace::sweep(Work& work, VirtAddr base, Bytes size, Step&& step) {
    for (Bytes done{}; done < size;) {
        Bytes const more = TRY(attempt(work, [&] { return step(base + done, size - done); }));
        CHECK(more.value != 0 && more <= size - done);
        done += more;
    }
    return {};
}

} // namespace twofold::memory
