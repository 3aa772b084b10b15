// The hosted MMU: the host's mappings of the memory file serve as the TLB of the page tables that
// the kernel builds in simulated memory.
//
// A kernel access that the host cannot satisfy arrives as a signal. `fill` walks the kernel's
// tables; where they allow the access it maps the leaf, whole, with the leaf's rights, and the
// access is retried. A translation stays until the kernel flushes it or room is needed: an entry
// that was changed without a flush remains stale, as on hardware. Filling never depends on what
// another machine does.
//
// Invariants: every host mapping in the window that is accessible (but the machine's own view) has
// an entry here, at most `standing_leaves_max` others are there and inaccessible; entries are at
// most `capacity`, each costs the host at most two mappings more, and the capacities of all
// machines of the process together stay within `process_mappings_max`.
//
// All processors of a machine share the mappings, so what one fills or flushes is there or gone for
// all; that each has to flush for itself is watched by stale_oracle.hpp. Processors with different
// tables active see the same pages where these are not global: a limit of this machine.
//
// Accessed and dirty bits are not provided. `fill` runs in signal handlers of several threads: no
// allocation, and a lock that suits them.
#pragma once

#include "hal/hosted/page_walk.hpp"
#include "hal/hosted/physical_memory.hpp"
#include "hal/hosted/signal_lock.hpp"
#include "hal/hosted/stale_oracle.hpp"

#include <array>
#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace hosted {

/// Linux allows a process 65,530 mappings (vm.max_map_count). Simulated memory takes no more than
/// these of them; sanitizers, libraries and heaps have the rest.
inline constexpr u32 process_mappings_max = 56'000;
inline constexpr u32 mappings_per_translation = 2;
inline constexpr u32 standing_leaves_max = 64;

/// How many translations one machine caches, by the size of the leaf: sets, each of `tlb_ways`
/// entries.
inline constexpr u32 tlb_sets_4k = 1024;
inline constexpr u32 tlb_sets_2m = 128;
inline constexpr u32 tlb_sets_1g = 2;
inline constexpr u32 tlb_ways_default = 8;
/// One instruction may need this many translations at once, and must find room for them in one set.
inline constexpr u32 tlb_ways_min = 4;
inline constexpr u32 tlb_ways_max = 16;

/// What the MMU has done since the machine was made. A restored machine goes on counting.
struct MmuStatistics {
    u64 walks = 0;
    u64 fills = 0;
    u64 evictions = 0; ///< translations dropped to make room
    u64 flushes = 0;   ///< translations dropped because the kernel asked
    u64 faults = 0;    ///< accesses that the tables forbid
};

/// What an access wanted.
struct AccessWanted {
    bool write;
    bool execute;
};

class Mmu {
public:
    /// The translations of a machine on `memory`. The error is one line: no room for as many.
    static std::expected<std::unique_ptr<Mmu>, std::string>
    create(PhysicalMemory const& memory, u32 ways);

    Mmu(Mmu const&) = delete;
    Mmu& operator=(Mmu const&) = delete;
    ~Mmu();

    enum class Fill : u8 { filled, denied, host_failed };

    /// For processor `slot`, walks the tables under `root` for `address`, which lies in `covers`,
    /// and maps the leaf if it grants the access. `walk` tells what was found. Signal-safe.
    /// O(levels + ways), one system call.
    Fill fill(u32 slot, PhysAddr root, u64 address, AccessWanted wanted, Walk& walk);

    /// Whether the window, without the machine's own view, holds `address`.
    bool covers(u64 address) const;

    /// The walk alone. Signal-safe. O(levels).
    Walk walk(PhysAddr root, u64 address) const;

    /// A processor that caches nothing begins to run, or one ends. The first of a machine runs.
    void add_processor(u32 slot, PhysAddr root);
    void remove_processor(u32 slot);

    /// Processor `slot` drops the translations of [address, address + size). O(pages) or
    /// O(capacity), one system call.
    void flush(u32 slot, u64 address, u64 size);
    /// It drops what is not global, and goes by the tables under `root`. O(capacity).
    void drop_local(u32 slot, PhysAddr root);
    /// Drops everything, for a machine that starts over with its first processor. O(capacity).
    void drop_all();

    /// The memory that is translated to.
    PhysicalSpan memory() const { return m_memory.span(); }

    /// How many cached translations say something else than the tables under `root` do now, or
    /// allow more: changed without a flush; and what the oracle has found since the last call. For
    /// kernels that change no table meanwhile. O(capacity * levels).
    u64 count_stale(PhysAddr root);
    /// Whether the oracle has found something since then. Of a machine none of whose processors
    /// runs.
    bool has_found_stale() const { return m_oracle.failures() != 0; }
    /// Changes whenever a translation is dropped. Signal-safe.
    u64 generation() const { return m_generation.load(std::memory_order_relaxed); }

    u32 cached() const { return m_cached; }
    u32 capacity() const;
    MmuStatistics const& statistics() const { return m_statistics; }

private:
    /// A cached translation; `page` is its first address, 0 where there is none.
    struct Entry {
        u64 page = 0;
        u64 frame = 0;
        u64 root = 0; ///< of the tables that it was found in
        hal::Access access = hal::Access::none;
        bool global = false;

        bool operator==(Entry const&) const = default;
    };
    /// The entries of one leaf size.
    struct Level {
        u32 sets = 0;
        u64 span = 0;
        std::vector<Entry> entries;
        std::vector<u8> victims; ///< of each set: the way to be evicted next

        Entry* set(u64 page, u32 ways) { return &entries[page / span % sets * ways]; }
    };
    /// A range of addresses that grows.
    struct Extent {
        u64 first = ~u64{0};
        u64 end = 0;
    };

    Mmu(PhysicalMemory const& memory, u32 ways);

    Entry& take_entry(Level& level, u64 page);
    bool map_leaf(Walk const& walk);
    u8* standing_of(u64 address);
    void withdraw_linear();
    void drop(Level& level, Entry& entry, Extent& extent);
    void flush_level(u32 slot, Level& level, u64 address, u64 size, Extent& extent);
    void flush_range(u32 slot, u64 first, u64 last);
    void withdraw_leaf(u64 page, u64 span);
    u64 debtors(u32 slot, Entry const& entry) const;
    void ask_oracle(u32 slot, PhysAddr root, u64 address, AccessWanted wanted, Walk const& walk);

    PhysicalMemory const& m_memory;
    u32 m_ways;
    SignalLock m_lock; ///< of all below
    u32 m_cached = 0;
    std::atomic<u64> m_generation = 0;
    u64 m_running = 1; ///< the set of processors that run
    std::array<u64, 64> m_roots{};
    StaleOracle m_oracle;
    std::array<Level, 3> m_levels;
    /// By the leaves of 2 MiB of the linear window: the host's mapping leads to the frame of that
    /// number, whether accessible or not. It is kept when all translations are dropped, or a
    /// machine that starts over would fault each of its pages anew.
    std::vector<u8> m_standing;
    MmuStatistics m_statistics;
};

} // namespace hosted
