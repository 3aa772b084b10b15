// The heap object: its state, its operations and their fast paths. What they mean is said in
// heap.hpp, the header to include.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/backing.hpp"
#include "core/memory/heap/block_map.hpp"
#include "core/memory/heap/cache.hpp"
#include "core/memory/heap/environment.hpp"
#include "core/memory/heap/space.hpp"

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
        if (alignment.value > heap::granule_bytes || !is_power_of_two(alignment.value))
            [[unlikely]] {
            return allocate_aligned(size, alignment);
        }
        return allocate(size);
    }

    /// As above, at a multiple of default_alignment.
    [[gnu::always_inline]] Result<std::byte*> allocate(Bytes size) {
        typename Environment::Scope const scope(m_environment);
        if (size.value - 1 < heap::small_bytes_max) [[likely]] {
            u32 const code = static_cast<u32>(heap::granules_for(size.value) - 1);
            Cache* const cache = current();
            u32 granule;
            if (cache != nullptr && cache->pop(code, granule)) [[likely]] {
                return hand_out(*cache, code, granule, size.value);
            }
        }
        Outcome const outcome = allocate_slowly(size.value);
        if (outcome.block == nullptr) [[unlikely]] {
            return outcome.error;
        }
        return outcome.block;
    }

    [[gnu::always_inline]] Result<void> free(std::byte* block) {
        typename Environment::Scope const scope(m_environment);
        u64 const granule = granule_of(block);
        if (granule < m_extent.load(relaxed)) [[likely]] {
            u32 const code = m_map.live_code(granule);
            Cache* const cache = current();
            bool const small = code - 1 < heap::code_count - 1;
            if (small && cache != nullptr) [[likely]] {
                if (cache->push(code, static_cast<u32>(granule))) [[likely]] {
                    m_map.set_resting(granule, code);
                    return {};
                }
            }
        }
        return free_slowly(block);
    }

    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment);
    Result<Bytes> usable_size(std::byte* block);
    AllocatorStatistics statistics() const;
    Result<void> verify();

    /// Gives what the caller's cache holds back to the space, and every idle page and what the
    /// tables have too much to the backing.
    void trim() {
        typename Environment::Scope const scope(m_environment);
        if (Cache* const cache = current()) {
            empty(*cache);
        }
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
    static constexpr u64 cache_bytes =
        (sizeof(Cache) + page_size.value - 1) & ~(page_size.value - 1);
    static constexpr u64 budget_least = u64{64} << 10;
    static constexpr u64 budget_most = u64{8} << 20;
    static constexpr u64 budget_share = 8;

    static const u64 heap_bytes;
    static const u64 front_bytes;

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
            blocks < 4 ? 4 : (blocks > Cache::stack_max ? Cache::stack_max : blocks));
    }

    [[gnu::always_inline]] std::byte* hand_out(Cache& cache, u32 code, u32 granule, u64 size) {
        m_map.set_live(granule, code);
        cache.add_waste(heap::code_bytes(code) - size);
        return block_at(granule);
    }

    /// A block, or null and the reason. Fits in two registers, so that the fast path needs no
    /// memory for a Result.
    struct Outcome {
        std::byte* block;
        Error error;
    };
    [[gnu::noinline]] Outcome allocate_slowly(u64 size) {
        Result<std::byte*> const block = allocate_by_refill(size);
        return block ? Outcome{block.value(), {}} : Outcome{nullptr, block.error()};
    }
    Result<std::byte*> allocate_by_refill(u64 size);
    [[gnu::noinline]] Result<std::byte*> allocate_aligned(Bytes size, Bytes alignment);
    Result<std::byte*> allocate_from_space(u64 size, u64 alignment);
    [[gnu::noinline]] Result<void> free_slowly(std::byte* block);
    Result<void> free_to_space(u64 granule);
    Error misuse(u64 granule);
    Cache* attach();
    Result<void> refill(Cache& cache, u32 code);
    u32 borrow(Cache& cache, u32 code) const;
    void make_room(Cache& cache, u32 code);
    void spill(u32 code, std::span<u32 const> blocks);
    void spill_oldest(Cache& cache, u32 code, u32 count);
    void empty(Cache& cache) {
        for (u32 code = 1; code < heap::code_count; ++code) {
            spill(code, cache.in_blocks(code));
            cache.drop_in(code, cache.in_count(code));
            spill(code, cache.out_blocks(code));
            cache.drop_out(code);
        }
    }
    u64 block_granules(u64 granule, u32 code) const {
        return code == heap::BlockMap::large ? m_map.large_granules(granule)
                                             : heap::code_granules(code);
    }
    /// After a change of the space: what the fast paths read without the lock.
    void publish() {
        m_extent.store(m_space.top(), relaxed);
        u64 const share = (m_space.used_granules() << heap::granule_shift) / budget_share /
                          (m_attached == 0 ? 1 : m_attached);
        m_budget.store(std::clamp(share, budget_least, budget_most), relaxed);
    }
    Cache& cache_at(usize index) const {
        return heap::table_at<Cache>(
            m_backing.range().base, heap_bytes + index * cache_bytes, 1)[0];
    }

    Backing& m_backing;
    Environment& m_environment;
    heap::Layout m_layout;
    heap::Space<Backing> m_space;
    heap::BlockMap m_map;
    std::byte* m_blocks;
    Atomic<u64> m_extent{}; ///< granules that a block may begin at
    Atomic<u64> m_budget{budget_least};
    Atomic<usize> m_caches{}; ///< how many were ever attached, so are committed
    usize m_attached = 0;
    u64 m_direct_requested = 0; ///< bytes asked for past the caches, ever
    u64 m_direct_reserved = 0;
};

template<HeapBacking Backing, HeapEnvironment Environment>
inline constexpr u64 Heap<Backing, Environment>::heap_bytes =
    align_up(sizeof(Heap), page_size.value);
template<HeapBacking Backing, HeapEnvironment Environment>
inline constexpr u64 Heap<Backing, Environment>::front_bytes =
    heap_bytes + caches_max * cache_bytes;

} // namespace twofold::memory
