// The tensor pool: large contiguous blocks of bytes behind pages of 2 MiB that are there before
// anybody touches them, for weights, activations and caches of inference.
//
// Each class of tensors has a region of addresses of its own, reserved when the class is used for
// the first time, so that the churn of one cannot divide the room of another. Free extents of a
// region lie in a two-level index (size_index.hpp); all records lie in a pool apart from the bytes.
// Pages come with the first block that reaches them and stay when it goes, for the next one: `trim`
// gives them back, and so does an allocation that finds no memory, before it gives up.
//
// A block lives as long as anybody holds a share of it (TensorBytes); a part or a shaped view of it
// is a share too, so that no view outlives what it shows. A handle (TensorHandle) holds nothing,
// and opening one whose block has gone is an error.
//
// Invariants, which `verify` walks: the extents of a region lie side by side and cover it; no two
// neighbours are free; free ones and no others are in the index; every page that a live block
// reaches is committed and of 2 MiB.
//
// Contexts: allocate, the end of the last share, trim and verify are for one user at a time, as the
// kernel's space is. Taking and dropping further shares is for any context.
#pragma once

#include "core/memory/pools/lazy_pool.hpp"
#include "core/memory/pools/size_index.hpp"
#include "core/memory/pools/window.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace twofold::memory {

/// What a block is for, which says how long it lives and what shares its region.
enum class TensorClass : u8 {
    weights,     ///< come at load time, in any size, and stay
    activations, ///< come and go with each step of a computation
    key_value,   ///< attention caches: few and large, as long as a conversation
    scratch,     ///< of one operation: unpacked rows, partial sums
};
inline constexpr usize tensor_class_count = 4;
/// The stable name of a class. O(1); any context.
std::string_view tensor_class_name(TensorClass which);

/// Members that are not named keep their defaults: `allocate({.kind = ..., .size = ...})`.
struct TensorRequest {
    TensorClass kind = TensorClass::scratch;
    Bytes size{};        ///< not 0
    Bytes alignment{64}; ///< a power of two, 2 MiB at most; 64 at least, whatever is asked for
    bool zeroed = false; ///< else what the last owner left
};

/// Names a block without holding it.
struct TensorHandle {
    PoolHandle record{};
    u64 serial = 0; ///< of the block: a record may serve several, one after the other

    constexpr bool operator==(TensorHandle const&) const = default;
};

/// Of one class.
struct TensorStatistics {
    Bytes region{};    ///< addresses; 0 until the class is used
    Bytes committed{}; ///< behind pages of 2 MiB
    Bytes used{};      ///< in live blocks, rounding included
    Bytes used_max{};
    u64 blocks = 0;       ///< live
    u64 allocations = 0;  ///< ever
    u64 failures = 0;     ///< allocations that found no room or no memory
    u64 extents = 0;      ///< live blocks and free extents
    Bytes largest_free{}; ///< one extent of addresses, with or without pages
};

class TensorPool;
class TensorBytes;

/// The record of an extent of a region. Of no use to others.
struct TensorExtent {
    enum class State : u8 { free, used, foreign };

    u64 offset = 0; ///< in the region, in granules
    u64 size = 0;   ///< in granules; bytes of a foreign one
    TensorExtent* before = nullptr;
    TensorExtent* after = nullptr;
    TensorExtent* free_next = nullptr;
    TensorExtent* free_previous = nullptr;
    std::span<std::byte> bytes{}; ///< what the owner may use
    u64 serial = 0;
    Atomic<u32> shares{0};
    TensorClass kind = TensorClass::scratch;
    State state = State::free;
};

/// A share of a block, or of a part of it. Moves; the bytes stay where they are as long as any
/// share lives.
class [[nodiscard]] TensorBytes {
public:
    TensorBytes(TensorBytes&& other)
        : m_pool(std::exchange(other.m_pool, nullptr)),
          m_extent(std::exchange(other.m_extent, nullptr)),
          m_bytes(std::exchange(other.m_bytes, {})) {}
    TensorBytes& operator=(TensorBytes&& other) {
        std::swap(m_pool, other.m_pool);
        std::swap(m_extent, other.m_extent);
        std::swap(m_bytes, other.m_bytes);
        return *this;
    }
    ~TensorBytes();

    std::span<std::byte> bytes() const { return m_bytes; }
    Bytes size() const { return {m_bytes.size()}; }

    /// Another share of the same bytes. Any context; O(1).
    TensorBytes share() const;
    /// A share of the part [offset, offset + size). Errors: out_of_range (it does not lie inside),
    /// invalid_argument (size 0). Any context; O(1).
    Result<TensorBytes> part(Bytes offset, Bytes size) const;

    /// Copies `source` to `offset`. The two do not overlap. Errors: out_of_range. O(bytes).
    Result<void> write(Bytes offset, std::span<std::byte const> source) const;
    /// Copies from `offset` to `target`. Errors: out_of_range. O(bytes).
    Result<void> read(std::span<std::byte> target, Bytes offset) const;
    /// Fills everything with a word, as it lies in memory; a part of it at the end. O(bytes).
    void fill(u64 word) const;

    /// The handle of the whole block. O(1).
    TensorHandle handle() const;
    /// How many hold the block. O(1).
    u32 shares() const;

private:
    friend class TensorPool;
    TensorBytes(TensorPool& pool, TensorExtent& extent, std::span<std::byte> bytes)
        : m_pool(&pool), m_extent(&extent), m_bytes(bytes) {}

    TensorPool* m_pool; ///< null once moved from
    TensorExtent* m_extent;
    std::span<std::byte> m_bytes;
};

class TensorPool {
public:
    static constexpr Bytes granule{64};
    static constexpr Bytes large_page{u64{2} << 20};
    /// Extents that there may be, live and free, of all classes.
    static constexpr u64 extents_max = u64{1} << 16;
    static constexpr Bytes region_max{u64{64} << 30};

    /// An empty pool in `space`, which outlives it. Takes neither memory nor addresses yet; a
    /// region will have `region` bytes, rounded up to pages of 2 MiB. Errors: invalid_argument (0,
    /// or above region_max).
    static Result<TensorPool> create(KernelSpace& space, Bytes region);
    /// What a region may have in this machine's window: an eighth of it, region_max at most.
    static Bytes default_region();

    /// Only of one that has not been used yet: shares know where their pool is.
    TensorPool(TensorPool&& other);
    TensorPool& operator=(TensorPool&&) = delete;
    /// Gives everything back. No share lives.
    ~TensorPool();

    /// A block, all of whose pages are there. Errors: invalid_argument (a request that makes no
    /// sense), out_of_memory (no room in the class's region, no memory, no more records). O(1) but
    /// for pages that are not there yet and for `zeroed`: O(size).
    Result<TensorBytes> allocate(TensorRequest const& request);
    /// Makes sure that a block of `size` will need no more pages if it is the next of its class.
    /// Errors: as allocate's. O(size).
    Result<void> prefault(TensorClass kind, Bytes size);
    /// A share of memory that is not the pool's, a file in memory for instance: views of it without
    /// a copy. Whoever adopts it sees to it that it stays until the last share has gone. Errors:
    /// invalid_argument (empty), out_of_memory. O(1).
    Result<TensorBytes> adopt(std::span<std::byte> memory);
    /// A share of the block that a handle names. Errors: out_of_range (no such), invalid_state (it
    /// has gone). O(1).
    Result<TensorBytes> open(TensorHandle handle);

    /// Gives pages back in which nothing lives; returns how many bytes. O(extents + pages).
    Bytes trim();
    Bytes trim(TensorClass kind);

    TensorStatistics statistics(TensorClass kind) const;
    /// Records, of which a busy class may run out first; nothing until a block was made.
    PoolStatistics records() const;
    /// Walks everything. Errors: corrupted. O(extents + pages).
    Result<void> verify();

private:
    friend class TensorBytes;
    using Extents = LazyPool<TensorExtent, PoolWindow>;
    using Index = SizeIndex<TensorExtent, 29>;
    static_assert(region_max.value / granule.value <= Index::size_max);
    static constexpr Bytes granule_bytes(u64 granules) { return granule * granules; }

    struct Region {
        explicit Region(PoolWindow&& place) : window(std::move(place)) {}
        PoolWindow window;
        Index index;
        TensorExtent* first = nullptr;
        Bytes touched{}; ///< no page behind it was ever committed
        TensorStatistics seen{};
    };
    using Regions = LazyPool<Region, PoolWindow>;

    TensorPool(KernelSpace& space, Bytes region) : m_space(&space), m_region_size(region) {}

    Result<void> open_records();
    Result<Region*> region_of(TensorClass kind);
    Result<TensorExtent*> take_extent(Region& region, u64 granules, u64 alignment);
    Result<TensorExtent*> divide(TensorExtent& extent, u64 front);
    static Result<void> commit(Region& region, TensorExtent const& extent);
    static Result<void> commit_run(Region& region, Bytes first, Bytes end);
    static Bytes trim(Region& region);
    Result<TensorExtent*> try_allocate(TensorRequest const& request);
    TensorBytes hand_out(TensorExtent& extent, std::span<std::byte> bytes);
    void give_back(TensorExtent& extent);
    void free_extent(Region& region, TensorExtent& extent);
    void absorb(TensorExtent& first);
    void forget(TensorExtent& extent);
    static Result<void> verify(Region& region);

    KernelSpace* m_space; ///< null once moved from
    Bytes m_region_size;
    std::optional<PoolWindow> m_extent_window;
    std::optional<PoolWindow> m_region_window;
    Extents* m_extents = nullptr;
    Regions* m_region_records = nullptr;
    Region* m_regions[tensor_class_count] = {};
    u64 m_foreign = 0; ///< live blocks that were adopted
    u64 m_serial = 0;  ///< of the last block
};

} // namespace twofold::memory
