// The heap object: its state, its operations and their fast paths. What they mean is said in
// heap.hpp, the header to include.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/backing.hpp"
#include "core/memory/heap/block_map.hpp"
#include "core/memory/heap/cache.hpp"
#include "core/memory/heap/depot.hpp"
#include "core/memory/heap/environment.hpp"
#include "core/memory/heap/space.hpp"
#include "core/memory/heap/space_pages.hpp"

#include <algorithm>
#include <bit>

namespace twofold::memory {

/// Any context that the environment admits; any number of processors or threads at once. The fast
/// paths take no lock and touch neither the block nor its neighbours.
template<HeapBacking Backing, HeapEnvironment Environment>
class Heap {
    using Cache = heap::Cache;

public:
    static constexpr usize caches_max = Environment::caches_max;

    /// Builds a heap at the beginning of the backing's range, nothing of which is committed. Both
    /// outlive it. Errors: invalid_argument (the range is too small), what `commit` answers.
    static Result<Heap*> create(Backing& backing, Environment& environment) {
        HeapRange const range = backing.range();
        heap::Layout const layout = TRY(heap::Layout::plan(range.size.value, front_bytes));
        TRY(backing.commit({0}, {heap_bytes}));
        Heap* const made = &heap::table_at<Heap>(range.base, 0, 1)[0];
        return std::construct_at(made, Key(), backing, environment, layout);
    }

    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        if (probe::fails(FaultPoint::heap_allocate)) {
            return Error::out_of_memory;
        }
        if (alignment.value > heap::granule_bytes || !is_power_of_two(alignment.value))
            [[unlikely]] {
            return allocate_aligned(size, alignment);
        }
        return allocate(size);
    }

    /// As above, at a multiple of default_alignment.
    [[gnu::always_inline]] Result<std::byte*> allocate(Bytes size) {
        if (std::byte* const block = allocate_quickly(size)) [[likely]] {
            return block;
        }
        Outcome const outcome = allocate_slowly(size.value);
        if (outcome.block == nullptr) [[unlikely]] {
            return outcome.error;
        }
        return outcome.block;
    }

    [[gnu::always_inline]] Result<void> free(std::byte* block) {
        if (free_quickly(block)) [[likely]] {
            return {};
        }
        return free_slowly(block);
    }

    /// The fast path of `allocate` alone: null if the caller's cache has no such block. So short
    /// that a caller of its own needs no registers but those that a call may change.
    [[gnu::always_inline]] std::byte* allocate_quickly(Bytes size) {
        typename Environment::Scope const scope(m_environment);
        Cache* const cache = current();
        return cache != nullptr ? cache->take(size.value) : nullptr;
    }
    /// The fast path of `free` alone: false if the caller's cache cannot take `block`, or if there
    /// is something wrong with it.
    [[gnu::always_inline]] bool free_quickly(std::byte* block) {
        typename Environment::Scope const scope(m_environment);
        Cache* const cache = current();
        return cache != nullptr && cache->give(block);
    }
    /// As these, for an environment whose slots need neither scope nor heap.
    [[gnu::always_inline]] static std::byte* allocate_from(void* slot, Bytes size) {
        return static_cast<Cache*>(slot)->take(size.value);
    }
    [[gnu::always_inline]] static bool free_to(void* slot, std::byte* block) {
        return static_cast<Cache*>(slot)->give(block);
    }

    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment);
    Result<Bytes> usable_size(std::byte* block);
    AllocatorStatistics statistics() const;
    Result<void> verify();

    /// Gives what the caller's cache and the depot hold back to the space, and every idle page and
    /// what the tables have too much to the backing.
    void trim() {
        typename Environment::Scope const scope(m_environment);
        if (Cache* const cache = current()) {
            empty(*cache);
            give_magazines_back(*cache);
        }
        empty_depot();
        trim_magazines();
        Locked const locked(*this);
        m_space.trim(0);
        m_space.recede();
    }

    /// Gives up the caller's cache: a thread ends, a processor goes offline.
    void detach() {
        typename Environment::Scope const scope(m_environment);
        if (Cache* const cache = current()) {
            empty(*cache);
            m_environment.set_slot(nullptr);
            give_magazines_back(*cache);
            cache->give_up();
        }
    }

    /// Whether `block` lies in this heap's memory. O(1).
    bool contains(std::byte const* block) const {
        return granule_of(block, ~u64{heap::granule_bytes - 1}) < m_extent.load(relaxed);
    }

private:
    struct Key {
        explicit Key() = default;
    };
    struct Locked {
        explicit Locked(Heap& the_heap) : owner(the_heap) { owner.m_environment.lock(); }
        ~Locked() {
            owner.m_space.settle();
            owner.publish();
            owner.m_environment.unlock();
        }
        Locked(Locked const&) = delete;
        Locked& operator=(Locked const&) = delete;
        Heap& owner;
    };

public:
    /// Use `create`: the key is private.
    Heap(Key, Backing& backing, Environment& environment, heap::Layout const& layout)
        : m_backing(backing),
          m_environment(environment),
          m_layout(layout),
          m_space(backing, m_layout),
          m_blocks(heap::byte_at(backing.range().base, layout.blocks_offset)) {
        heap::TablePlan const& map = layout.tables[layout.block_map];
        m_map.set_windows(heap::table_at<Atomic<u8>>(backing.range().base, map.offset, map.bytes));
    }
    Heap(Heap const&) = delete;
    Heap& operator=(Heap const&) = delete;

private:
    static constexpr u64 cache_bytes = sizeof(Cache);
    static constexpr u64 budget_least = u64{64} << 10;
    static constexpr u64 budget_most = u64{8} << 20;
    static constexpr u64 budget_share = 8;
    static constexpr u64 quick_most = u64{64} << 10;

    /// Budgets follow what is in use by steps of 64 KiB.
    static constexpr unsigned publish_shift = 16;

    /// How many magazines the depot keeps of each length, and what of the memory in use.
    static constexpr u32 depot_slots = 16;
    static constexpr u64 depot_share = 32;
    static constexpr u64 depot_least = u64{64} << 10;
    /// What may rest on one stack when more memory is needed.
    static constexpr u64 gather_least = u64{3} << 10;
    /// How many blocks go back in one piece then.
    static constexpr u32 gather_batch = 8;
    /// Two for each length in each cache, and those in the depot.
    static constexpr u64 magazines_max = u64{heap::code_count} * (2 * caches_max + depot_slots);

    static const u64 heap_bytes;
    static const u64 front_bytes;
    static const u64 magazines_offset;

    Cache* current() const { return static_cast<Cache*>(m_environment.slot()); }
    /// The number of the granule at `block`; beyond every granule if the address is no multiple.
    u64 granule_of(std::byte const* block, u64 mask = ~u64{0}) const {
        return std::rotr(
            (heap::address_of(block) - heap::address_of(m_blocks)) & mask,
            static_cast<int>(heap::granule_shift));
    }
    std::byte* block_at(u64 granule) const {
        return heap::byte_at(m_blocks, granule << heap::granule_shift);
    }
    /// How many blocks move between a cache and the space at once.
    static constexpr u32 batch_of(u32 code) {
        u64 const blocks = u64{4096} / heap::code_bytes(code);
        return static_cast<u32>(
            blocks < 4 ? 4 : (blocks > heap::magazine_items ? heap::magazine_items : blocks));
    }

    /// A block, or null and the reason. Fits in two registers, so that the fast path needs no
    /// memory for a Result.
    struct Outcome {
        std::byte* block;
        Error error;
    };
    [[gnu::noinline]] Outcome allocate_slowly(u64 size) {
        Outcome outcome{};
        {
            typename Environment::Scope const scope(m_environment);
            Result<std::byte*> const block = allocate_by_refill(size);
            outcome = block ? Outcome{block.value(), {}} : Outcome{nullptr, block.error()};
        }
        gather_if_due();
        return outcome;
    }
    Result<std::byte*> allocate_by_refill(u64 size);
    [[gnu::noinline]] Result<std::byte*> allocate_aligned(Bytes size, Bytes alignment);
    Result<std::byte*> allocate_from_space(u64 size, u64 alignment);
    Result<std::byte*> take_from_space(u64 size, u64 alignment);
    /// With the lock held: whether more pages are committed than after `commits` of them.
    void note_growth(u64 commits) {
        if (m_space.commits() != commits) {
            m_gather_due.store(true, relaxed);
        }
    }
    Result<std::byte*> allocate_medium(u64 size);
    u32 take_several(Cache& cache, u32 length, u32 wanted);
    bool shelve(u64 granule, u64 length);
    void spill_quick(Cache& cache, u32 list);
    void empty_quick(Cache& cache);
    void give_depot_magazine_back(u32 magazine, u64 bytes);
    /// Whoever finds that more rests than shall leaves it to `gather`, which works in short pieces.
    void gather_if_due() {
        if (m_gather_due.load(relaxed)) [[unlikely]] {
            m_gather_due.store(false, relaxed);
            gather();
        }
    }
    void gather();
    bool gather_from_cache(u32 code);
    Result<void> free_past_the_cache(std::byte* block);
    /// How much may rest in the quick lists of one cache.
    u64 quick_budget() const { return std::min(m_budget.load(relaxed) / 4, quick_most); }
    [[gnu::noinline]] Result<void> free_slowly(std::byte* block);
    Result<void> free_to_space(u64 granule);
    Error misuse(u64 granule);
    Cache* attach();
    Result<void> refill(Cache& cache, u32 code);
    bool fill(Cache& cache, u32 code);
    u32 borrow(Cache& cache, u32 code) const;
    bool make_room(Cache& cache, u32 code);
    u64 reduce(Cache& cache, u32 victim);
    bool deposit(Cache& cache, u32 code);
    bool withdraw(Cache& cache, u32 code);
    void spill(u32 code, std::span<u32 const> blocks);
    void spill_oldest(Cache& cache, u32 code, u32 count);
    void spill_out(Cache& cache, u32 code);
    void empty(Cache& cache);
    void empty_depot();
    u32 new_magazine();
    void give_magazine_back(u32 magazine);
    void trim_magazines();
    void give_magazines_back(Cache& cache);
    std::byte* base() const { return m_backing.range().base; }
    u64 block_granules(u64 granule, u32 code) const {
        return code == heap::BlockMap::large ? m_map.large_granules(granule)
                                             : heap::code_granules(code);
    }
    /// After a change of the space: what the fast paths read without the lock.
    void publish() {
        if (m_space.top() != m_extent.load(relaxed)) {
            m_extent.store(m_space.top(), relaxed);
            for (usize i = 0; i < m_caches.load(relaxed); ++i) {
                cache_at(i).set_extent(m_space.top());
            }
        }
        u64 const steps = m_space.used_granules() << heap::granule_shift >> publish_shift;
        if (steps == m_published) {
            return;
        }
        m_published = steps;
        u64 const used = steps << publish_shift;
        u64 const share = used / budget_share / (m_attached == 0 ? 1 : m_attached);
        m_budget.store(std::clamp(share, budget_least, budget_most), relaxed);
        m_depot_budget.store(std::clamp(used / depot_share, depot_least, budget_most), relaxed);
    }
    Cache& cache_at(usize index) const {
        return heap::object_at<Cache>(base(), heap_bytes + index * cache_bytes);
    }
    /// Bytes of `part_bytes` each for `parts` parts, committed page by page.
    static constexpr u64 pages_for(u64 parts, u64 part_bytes) {
        return align_up(parts * part_bytes, page_size.value);
    }

    Backing& m_backing;
    Environment& m_environment;
    heap::Layout m_layout;
    heap::Space<Backing> m_space;
    heap::BlockMap m_map;
    std::byte* m_blocks;
    Atomic<u64> m_extent{}; ///< granules that a block may begin at
    Atomic<u64> m_budget{budget_least};
    Atomic<u64> m_depot_budget{};
    Atomic<u64> m_depot_bytes{}; ///< in blocks
    heap::Depot<heap::code_count, depot_slots> m_depot;
    Atomic<usize> m_caches{}; ///< how many were ever attached, so are committed
    u64 m_magazines = 0;      ///< how many were made, so are committed
    u64 m_spares = 0;         ///< how many of them nobody owns
    u32 m_spare = 0;          ///< a magazine that nobody owns; its header names the next
    Atomic<bool> m_gather_due{};
    usize m_attached = 0;
    u64 m_published = ~u64{0};  ///< how much was in use when the budgets were last published
    u64 m_direct_requested = 0; ///< bytes asked for past the caches, ever
    u64 m_direct_reserved = 0;
};

template<HeapBacking Backing, HeapEnvironment Environment>
inline constexpr u64 Heap<Backing, Environment>::heap_bytes =
    align_up(sizeof(Heap), page_size.value);
template<HeapBacking Backing, HeapEnvironment Environment>
inline constexpr u64 Heap<Backing, Environment>::front_bytes =
    heap_bytes + pages_for(caches_max, cache_bytes) +
    pages_for(magazines_max, heap::magazine_bytes);

template<HeapBacking Backing, HeapEnvironment Environment>
inline constexpr u64 Heap<Backing, Environment>::magazines_offset =
    heap_bytes + pages_for(caches_max, cache_bytes);

} // namespace twofold::memory
