// A layer around any allocator that finds what was done wrong with its blocks:
//
//     | red zone | block                         | red zone |      in use: fresh memory is poisoned
//     | red zone | freed pattern                 | red zone |      in quarantine, first in, first
//     out
//
// Red zones are looked at when a block is given back or resized and by `verify`; a block in
// quarantine when it leaves it and by `verify`. Each block in use is entered in a table by the call
// stack that asked for it, so that what is never given back can be listed. Under AddressSanitizer
// the red zones and all that is free are poisoned besides, and each access to them is reported at
// once.
//
// Invariants: nothing that the layer steers by lies beside a block; every block of the allocator
// below is a block in use, one in quarantine, the layer itself or its table.
//
// Neighbours: corruption.hpp (what is reported), kernel_debug.hpp (the layer in the kernel).
// Sources: red zones and poison as in SLUB (Linux, mm/slub.c) and in B. Perens' Electric Fence; the
// quarantine as in K. Serebryany et al., "AddressSanitizer: a fast address sanity checker", USENIX
// ATC 2012, section 3.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/debug/block_table.hpp"
#include "core/memory/debug/call_sites.hpp"
#include "core/memory/debug/corruption.hpp"
#include "core/memory/debug/patterns.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace twofold::memory {

/// Blocks of `Inner` with red zones, poison, a quarantine and a book of who holds what. Any context
/// that the environment admits. Costs 64 bytes and more and a table's slot a block, and O(size) an
/// operation: for debug builds.
///
/// Errors beside those of the concept Allocator: free and resize answer corrupted for a damaged
/// block, once it was reported; it stays as it is.
template<Allocator Inner, DebugEnvironment Environment>
class DebugAllocator {
    using Scope = typename Environment::Scope;
    using BlockRecord = debug::BlockRecord;
    using BlockState = debug::BlockState;
    using Zone = debug::Zone;

public:
    static constexpr u64 red_zone_bytes = 32;
    static constexpr usize quarantine_blocks_max = 512;
    static constexpr u64 quarantine_bytes_max = u64{256} << 10;

    /// Builds a layer in a block of `inner`, which outlives it; `arguments` make its environment.
    /// Errors: those of allocate.
    template<class... Arguments>
    static Result<DebugAllocator*> create(Inner& inner, Arguments&&... arguments) {
        Bytes const size{sizeof(DebugAllocator)};
        std::byte* const room = TRY(inner.allocate(size, {alignof(DebugAllocator)}));
        unpoison(room, size.value);
        return std::construct_at(
            room_for<DebugAllocator>(room), Key(), inner, std::forward<Arguments>(arguments)...);
    }
    /// Ends a layer that was made by `create`: everything goes back to the allocator below. Errors:
    /// busy, while blocks are in use.
    static Result<void> destroy(DebugAllocator& layer) {
        Inner& inner = layer.m_inner;
        {
            Scope const scope(layer.m_environment);
            if (layer.m_live_blocks != 0) {
                return Error::busy;
            }
            layer.empty_quarantine();
            layer.m_table.give_back(inner);
        }
        std::destroy_at(&layer);
        return inner.free(room_for<std::byte>(&layer));
    }

    [[gnu::noinline]] Result<std::byte*> allocate(Bytes size, Bytes alignment = default_alignment) {
        m_environment.before_allocation(size);
        CallStack const stack = m_environment.call_stack();
        Scope const scope(m_environment);
        return take(size, alignment, stack);
    }

    [[gnu::noinline]] Result<void> free(std::byte* block) {
        CallStack const stack = m_environment.call_stack();
        Scope const scope(m_environment);
        BlockRecord const record = *TRY(find_live(block));
        return give(record, stack);
    }

    /// A block that grows always moves, so that pointers to where it was are found.
    [[gnu::noinline]] Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment) {
        CallStack const stack = m_environment.call_stack();
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        {
            Scope const scope(m_environment);
            BlockRecord& record = *TRY(find_live(block));
            TRY(examine(record));
            bool const stays = size.value <= record.size &&
                               is_aligned(heap::address_of(record.block), alignment.value);
            if (stays) {
                shrink(record, size.value);
                return block;
            }
        }
        m_environment.before_allocation(size);
        Scope const scope(m_environment);
        BlockRecord const old = *TRY(find_live(block));
        std::byte* const moved = TRY(take(size, alignment, stack));
        std::memcpy(moved, block, std::min(size.value, old.size));
        TRY(give(old, stack));
        return moved;
    }

    /// Exactly what was asked for.
    Result<Bytes> usable_size(std::byte* block) {
        Scope const scope(m_environment);
        return Bytes{TRY(find_live(block))->size};
    }

    /// What is reserved counts red zones too, and `cached` the quarantine; the layer's own table is
    /// in `committed` alone. O(1) beside what the allocator below takes.
    AllocatorStatistics statistics() const {
        Scope const scope(m_environment);
        AllocatorStatistics found = m_inner.statistics();
        found.reserved = {m_live_reserved};
        found.cached += Bytes{m_quarantine_bytes};
        found.requested_ever = {m_requested_ever};
        found.reserved_ever = {m_reserved_ever};
        return found;
    }

    /// Walks the allocator below, all red zones and the quarantine. The first block that is damaged
    /// is reported. Errors: corrupted.
    Result<void> verify() {
        Scope const scope(m_environment);
        TRY(m_inner.verify());
        Result<void> outcome;
        u64 live = 0;
        u64 bytes = 0;
        u64 reserved = 0;
        m_table.for_each([&](BlockRecord& record) {
            if (outcome) {
                outcome = examine(record);
            }
            if (record.state == BlockState::live) {
                ++live;
                bytes += record.size;
                reserved += record.whole();
            }
        });
        TRY(outcome);
        bool const agrees = live == m_live_blocks && bytes == m_live_bytes &&
                            reserved == m_live_reserved &&
                            m_table.count() == m_live_blocks + m_quarantine.size();
        return agrees ? Result<void>() : Result<void>(Error::corrupted);
    }

    /// Ends the quarantine of every block and gives all that can go back to the allocator below.
    void trim() {
        Scope const scope(m_environment);
        empty_quarantine();
        m_table.shrink(m_inner);
        if constexpr (requires(Inner& inner) { inner.trim(); }) {
            m_inner.trim();
        }
    }

    /// What is in use now.
    u64 live_blocks() const { return m_live_blocks; }
    Bytes live_bytes() const { return {m_live_bytes}; }

    /// Calls visit(CallSite const&) for each call site that has blocks in use, in no order. The
    /// visitor does not allocate here. O(blocks + call sites).
    template<class Visitor>
    void for_each_site(Visitor const& visit) {
        Scope const scope(m_environment);
        for (debug::CallSite& site : m_sites.all()) {
            site.oldest = ~u64{0};
        }
        m_table.for_each([this](BlockRecord const& record) {
            if (record.state == BlockState::live) {
                u64& oldest = m_sites[record.site].oldest;
                oldest = std::min(oldest, record.number);
            }
        });
        for (debug::CallSite const& site : m_sites.all()) {
            if (site.blocks != 0) {
                visit(site);
            }
        }
    }

private:
    struct Key {
        explicit Key() = default;
    };

public:
    /// Use `create`: the key is private.
    template<class... Arguments>
    DebugAllocator(Key, Inner& inner, Arguments&&... arguments)
        : m_inner(inner), m_environment(std::forward<Arguments>(arguments)...) {}
    DebugAllocator(DebugAllocator const&) = delete;
    DebugAllocator& operator=(DebugAllocator const&) = delete;
    ~DebugAllocator() = default;

private:
    static constexpr u64 unit = default_alignment.value;

    static Zone front_zone(BlockRecord const& record) { return {record.start, record.front}; }
    static Zone body(BlockRecord const& record) { return {record.block, record.size}; }
    static Zone rear_zone(BlockRecord const& record) {
        return {heap::byte_at(record.block, record.size), record.rear};
    }
    static Zone whole(BlockRecord const& record) { return {record.start, record.whole()}; }

    static void close_zones(BlockRecord const& record) {
        front_zone(record).fill(debug::red_pattern);
        rear_zone(record).fill(debug::red_pattern);
        front_zone(record).close();
        rear_zone(record).close();
    }

    /// What `attempt` answers; where that is out of memory, once more without the quarantine.
    template<class Attempt>
    auto with_last_resort(Attempt const& attempt) {
        auto outcome = attempt();
        if (!outcome && outcome.error() == Error::out_of_memory && !m_quarantine.empty()) {
            empty_quarantine();
            outcome = attempt();
        }
        return outcome;
    }

    Result<std::byte*> take(Bytes size, Bytes alignment, CallStack const& stack) {
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        u64 const aligned = std::max(alignment.value, unit);
        u64 const front = std::max(aligned, red_zone_bytes);
        u64 const least = front + red_zone_bytes + unit;
        if (front > ~u32{0} || size.value > ~u64{0} - least) {
            return Error::out_of_memory;
        }
        u64 const rear = align_up(size.value + red_zone_bytes, unit) - size.value;
        Bytes const all{front + size.value + rear};
        TRY(with_last_resort([this] { return m_table.reserve_one(m_inner); }));
        std::byte* const start = TRY(
            with_last_resort([this, all, aligned] { return m_inner.allocate(all, {aligned}); }));
        BlockRecord const record{
            .block = heap::byte_at(start, front),
            .start = start,
            .size = size.value,
            .rear = rear,
            .number = ++m_allocations,
            .site = m_sites.find(stack),
            .freed_site = debug::CallSites::others,
            .state = BlockState::live,
            .front = static_cast<u32>(front)};
        m_table.insert(record);
        body(record).fill(debug::fresh_pattern);
        close_zones(record);
        count_live(record.site, 1, record.size, record.whole());
        ++m_sites[record.site].allocations;
        m_requested_ever += size.value;
        m_reserved_ever += all.value;
        return record.block;
    }

    /// What changes when blocks come into use; with negated numbers, when they go.
    void count_live(u32 number, u64 blocks, u64 bytes, u64 reserved) {
        debug::CallSite& site = m_sites[number];
        site.blocks += blocks;
        site.bytes += bytes;
        m_live_blocks += blocks;
        m_live_bytes += bytes;
        m_live_reserved += reserved;
    }

    /// Takes back a block in use.
    Result<void> give(BlockRecord const& record, CallStack const& stack) {
        TRY(examine(record));
        make_room(record.whole());
        BlockRecord& known = *m_table.find(record.block);
        known.state = BlockState::quarantined;
        known.freed_site = m_sites.find(stack);
        count_live(record.site, 0 - u64{1}, 0 - record.size, 0 - record.whole());
        body(record).fill(debug::freed_pattern);
        whole(record).close();
        Result<void> const kept = m_quarantine.push(record.block);
        CHECK(kept.has_value());
        m_quarantine_bytes += record.whole();
        make_room(0); // without itself, if it is too large
        return {};
    }

    /// Ends the quarantine of the oldest blocks until one of `bytes` fits in, or none is left.
    void make_room(u64 bytes) {
        while (!m_quarantine.empty() && ((bytes != 0 && m_quarantine.full()) ||
                                         m_quarantine_bytes + bytes > quarantine_bytes_max)) {
            end_oldest();
        }
    }
    void empty_quarantine() {
        while (!m_quarantine.empty()) {
            end_oldest();
        }
    }
    /// The block that is longest in quarantine goes back to the allocator below; if somebody wrote
    /// to it meanwhile, that is reported.
    void end_oldest() {
        BlockRecord const record = *m_table.find(*m_quarantine.pop());
        static_cast<void>(examine(record).has_value());
        m_quarantine_bytes -= record.whole();
        m_table.erase(record.block);
        if constexpr (!Environment::free_blocks_stay_untouched) {
            unpoison(record.start, record.whole());
        }
        Result<void> const freed = m_inner.free(record.start);
        CHECK(freed.has_value());
    }

    /// A smaller size for a block that stays where it is.
    void shrink(BlockRecord& record, u64 size) {
        u64 const less = record.size - size;
        record.size = size;
        record.rear += less;
        close_zones(record);
        count_live(record.site, 0, 0 - less, 0);
    }

    /// Looks at what nobody may have written to, and reports it if somebody did. Errors: corrupted.
    Result<void> examine(BlockRecord const& record) {
        if (std::byte* const at = front_zone(record).first_other(debug::red_pattern)) {
            return damaged(CorruptionKind::underflow, at, record);
        }
        if (std::byte* const at = rear_zone(record).first_other(debug::red_pattern)) {
            return damaged(CorruptionKind::overflow, at, record);
        }
        if (record.state == BlockState::quarantined) {
            if (std::byte* const at = body(record).first_other(debug::freed_pattern)) {
                return damaged(CorruptionKind::use_after_free, at, record);
            }
        }
        return {};
    }
    Error damaged(CorruptionKind kind, std::byte* at, BlockRecord const& record) {
        m_environment.report(Corruption{
            .kind = kind,
            .block = record.block,
            .size = {record.size},
            .damaged = at,
            .number = record.number,
            .allocated = m_sites[record.site].stack,
            .freed = m_sites[record.freed_site].stack});
        return Error::corrupted;
    }

    /// The record of a block in use, or what is wrong with the pointer. O(1) expected; O(blocks)
    /// for a wrong one.
    Result<BlockRecord*> find_live(std::byte* block) {
        if (BlockRecord* const record = m_table.find(block)) {
            return record->state == BlockState::live ? Result<BlockRecord*>(record)
                                                     : Result<BlockRecord*>(Error::invalid_state);
        }
        bool inside = false;
        u64 const address = heap::address_of(block);
        m_table.for_each([&](BlockRecord const& record) {
            inside = inside || address - heap::address_of(record.start) < record.whole();
        });
        if (inside) {
            return Error::invalid_argument;
        }
        Result<Bytes> const below = m_inner.usable_size(block);
        // What begins there is the layer's own.
        return below ? Error::invalid_argument : below.error();
    }

    Inner& m_inner;
    mutable Environment m_environment;
    debug::BlockTable<Inner> m_table;
    debug::CallSites m_sites;
    Ring<std::byte*, quarantine_blocks_max> m_quarantine;
    u64 m_quarantine_bytes = 0;
    u64 m_live_blocks = 0;
    u64 m_live_bytes = 0;
    u64 m_live_reserved = 0; ///< with their red zones
    u64 m_allocations = 0;
    u64 m_requested_ever = 0;
    u64 m_reserved_ever = 0;
};

} // namespace twofold::memory
