// The page-table engine: one tree of tables, whatever its depth and however it is reached.
//
// Codec says what entries mean (hal::Mmu is the default; five levels are another codec), Access how
// tables are reached (table_access.hpp), a SharedFrames where they come from. The engine owns the
// tables below its root and knows nothing of ranges, faults or owners of pages.
//
// Invariants: a linked table other than the root holds at least one present entry, except where the
// root's own entries are fixed (Root::fixed: they are shared with other spaces, so that neither
// they nor the tables that they lead to come and go); no leaf is writable and executable; a failed
// operation leaves the tables as they were, but for leaves that were divided.
//
// An entry that was present is noted in the caller's FlushBatch when it changes; a table is given
// back through it, after the flush. One user at a time; the processor may walk meanwhile.
//
// Source of the idea: one engine over tiny codecs, NOVA's page tables (hip, src/ptab.cpp) and
// Asterinas OSTD; written anew.
#pragma once

#include "core/memory/space/access.hpp"
#include "core/memory/space/flush_batch.hpp"
#include "core/memory/space/table_access.hpp"

#include <array>
#include <optional>

namespace twofold::memory {

/// The level of the large pages that the kernel makes: 2 MiB where tables have 512 entries.
inline constexpr unsigned large_page_level = 1;

/// What the engine needs of a codec: the pure part of hal::Mmu.
template<class C>
concept EntryCodec = requires(
    hal::PageMapping mapping, u64 entry, unsigned level, VirtAddr address, PhysAddr table) {
    { C::levels } -> std::convertible_to<unsigned>;
    { C::entries } -> std::convertible_to<unsigned>;
    { C::highest_leaf_level() } -> std::same_as<unsigned>;
    { C::encode_leaf(mapping, level) } -> std::same_as<u64>;
    { C::encode_table(table) } -> std::same_as<u64>;
    { C::is_present(entry) } -> std::same_as<bool>;
    { C::is_leaf(entry, level) } -> std::same_as<bool>;
    { C::decode_leaf(entry, level) } -> std::same_as<hal::PageMapping>;
    { C::decode_table(entry) } -> std::same_as<PhysAddr>;
    { C::index(address, level) } -> std::same_as<unsigned>;
    { C::is_canonical(address) } -> std::same_as<bool>;
};

/// Where an address leads.
struct Translation {
    PhysAddr address; ///< of the byte asked for
    Leaf leaf;        ///< the whole page
    unsigned level;
    VirtAddr page; ///< the page's first byte
};

template<EntryCodec Codec = hal::Mmu, TableAccess Access = LinearTables>
class PageTable {
public:
    static constexpr unsigned levels = Codec::levels;
    static constexpr unsigned entries = Codec::entries;
    static constexpr unsigned index_bits = static_cast<unsigned>(std::countr_zero(entries));

    enum class Root : u8 { free, fixed };

    /// Edits the tables under `root`, which is a table already. `frames` must outlive this.
    PageTable(SharedFrames& frames, PhysAddr root, Root kind, Access access = {})
        : m_frames(&frames), m_access(access), m_root(root), m_kind(kind) {}

    /// Bytes that a leaf of `level` covers, and the order of its block. O(1).
    static constexpr Bytes span(unsigned level) {
        return {page_size.value << (index_bits * level)};
    }
    static constexpr unsigned order(unsigned level) { return index_bits * level; }

    PhysAddr root() const { return m_root; }
    /// Tables that this engine has added and not taken away again, the root not counted. O(1).
    u64 tables() const { return m_tables; }

    /// Maps one page of `level` at `address`. Errors: invalid_argument (alignment, level),
    /// out_of_range (not canonical), already_exists (something is mapped there), out_of_memory.
    /// O(levels).
    Result<void> map(VirtAddr address, Leaf const& leaf, unsigned level);

    /// Whether a page of `level` could be mapped at `address`. O(levels).
    bool is_free(VirtAddr address, unsigned level) {
        return !Codec::is_present(locate(address, level).value);
    }

    /// Where `address` leads, if anywhere. O(levels).
    std::optional<Translation> translate(VirtAddr address);

    /// Calls visit(page address, leaf, level) for each leaf that begins in [address, address +
    /// size), or holds `address`, in ascending order. O(leaves + holes).
    template<class Visit>
    void for_each_leaf(VirtAddr address, Bytes size, Visit&& visit);

    /// Takes the leaves of a range away, calling removed(page address, leaf, level) for each. No
    /// leaf may cross an end of the range (split_at). Tables that become empty go too. O(leaves +
    /// holes).
    template<class Removed>
    void unmap(VirtAddr address, Bytes size, FlushBatch& batch, Removed&& removed);

    /// Calls change(page address, leaf&, level) for each leaf of a range, and writes it back where
    /// that returns true. No leaf may cross an end of the range. O(leaves + holes).
    template<class Change>
    void rewrite(VirtAddr address, Bytes size, FlushBatch& batch, Change&& change);

    /// Divides leaves until none crosses `boundary`, which is page-aligned. Errors: out_of_memory;
    /// what is mapped stays the same in any case. O(levels * entries).
    Result<void> split_at(VirtAddr boundary, FlushBatch& batch);

    /// The same for the one leaf that crosses `boundary`, with `table` as the new table: a frame of
    /// the engine's SharedFrames that becomes its own. O(entries).
    void split_with(VirtAddr boundary, PhysAddr table, FlushBatch& batch);

    /// Joins the leaves below `address` into one of `level`: all there, alike, and contiguous in
    /// physical memory from a multiple of its size on. False if they are not. O(entries).
    bool promote(VirtAddr address, unsigned level, FlushBatch& batch);

    /// Makes sure that there is a table for `address` below the root. Only for a fixed root.
    Result<void> fix_root_entry(VirtAddr address);

private:
    struct Position {
        unsigned level = levels - 1;
        std::array<PhysAddr, levels> tables{}; ///< of each level from the root to `level`
        TableEntry* entry = nullptr;
        u64 value = 0;
    };

    TableEntry& entry_of(PhysAddr table, VirtAddr address, unsigned level) {
        return std::span(
            m_access.entries(table, address, level), usize{entries})[Codec::index(address, level)];
    }
    Position locate(VirtAddr address, unsigned lowest = 0);
    void pass_holes(Position& at, u64& page, u64 last);
    Result<void> add_table(Position& at, VirtAddr address);
    void split(Position const& at, VirtAddr address, PhysAddr table, FlushBatch& batch);
    bool is_empty(PhysAddr table, VirtAddr address, unsigned level);
    void prune(Position const& at, VirtAddr address, FlushBatch& batch);
    template<class Step>
    void walk(VirtAddr address, Bytes size, Step&& step);
    static Leaf decode(u64 entry, unsigned level) {
        return Leaf::from(Codec::decode_leaf(entry, level)).value();
    }

    SharedFrames* m_frames;
    Access m_access;
    PhysAddr m_root;
    Root m_kind;
    u64 m_tables = 0;
};

/// Walks from the root to the entry of `lowest`, or to where the walk ends before.
template<EntryCodec Codec, TableAccess Access>
auto PageTable<Codec, Access>::locate(VirtAddr address, unsigned lowest) -> Position {
    Position at;
    at.tables[at.level] = m_root;
    while (true) {
        at.entry = &entry_of(at.tables[at.level], address, at.level);
        at.value = at.entry->load(acquire);
        if (at.level == lowest || !Codec::is_present(at.value) ||
            Codec::is_leaf(at.value, at.level)) {
            return at;
        }
        at.tables[at.level - 1] = Codec::decode_table(at.value);
        --at.level;
    }
}

/// Links an empty table at `at`, whose entry is not present, and goes down to it.
template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::add_table(Position& at, VirtAddr address) {
    CHECK(!Codec::is_present(at.value) && at.level > 0);
    CHECK(m_kind == Root::free || at.level < levels - 1);
    PhysAddr const table = TRY(m_frames->allocate(0));
    for (TableEntry& entry : std::span(m_access.stage(table), usize{entries})) {
        entry.store(0, relaxed);
    }
    at.entry->store(Codec::encode_table(table), release);
    ++m_tables;
    --at.level;
    at.tables[at.level] = table;
    at.entry = &entry_of(table, address, at.level);
    at.value = 0;
    return {};
}

template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::map(VirtAddr address, Leaf const& leaf, unsigned level) {
    if (level >= levels || level > Codec::highest_leaf_level() ||
        !is_aligned(address, span(level)) || !is_aligned(leaf.frame, span(level))) {
        return Error::invalid_argument;
    }
    if (!Codec::is_canonical(address)) {
        return Error::out_of_range;
    }
    Position at = locate(address, level);
    if (Codec::is_present(at.value)) {
        return Error::already_exists;
    }
    while (at.level > level) {
        if (Result<void> const added = add_table(at, address); !added) {
            FlushBatch batch(*m_frames, FlushBatch::Reach::cached);
            prune(at, address, batch);
            return added;
        }
    }
    at.entry->store(Codec::encode_leaf(leaf.mapping(), level), release);
    return {};
}

template<EntryCodec Codec, TableAccess Access>
std::optional<Translation> PageTable<Codec, Access>::translate(VirtAddr address) {
    if (!Codec::is_canonical(address)) {
        return std::nullopt;
    }
    Position const at = locate(address);
    if (!Codec::is_present(at.value)) {
        return std::nullopt;
    }
    Leaf const leaf = decode(at.value, at.level);
    VirtAddr const page = align_down(address, span(at.level));
    return Translation{leaf.frame + (address - page), leaf, at.level, page};
}

/// Goes on from the hole at `at` to the last of the holes beside it in the same table, as far as
/// `last`. O(entries).
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::pass_holes(Position& at, u64& page, u64 last) {
    u64 const step = span(at.level).value;
    while (page + (step - 1) < last && Codec::index({page}, at.level) != entries - 1) {
        TableEntry& entry = entry_of(at.tables[at.level], {page + step}, at.level);
        u64 const value = entry.load(acquire);
        if (Codec::is_present(value)) {
            return;
        }
        page += step;
        at.entry = &entry;
        at.value = value;
    }
}

/// Calls step(position, first address) for each leaf of a range, and for the last of each run of
/// holes in a table; a hole is an entry that is not present, at whatever level the walk ended. The
/// step may change the entry, and take tables away that hold nothing of what follows.
template<EntryCodec Codec, TableAccess Access>
template<class Step>
void PageTable<Codec, Access>::walk(VirtAddr address, Bytes size, Step&& step) {
    CHECK(size.value != 0);
    u64 const last = address.value + (size.value - 1);
    CHECK(last >= address.value);
    for (u64 next = address.value;;) {
        Position at = locate({next});
        u64 page = align_down(next, span(at.level).value);
        if (!Codec::is_present(at.value)) {
            pass_holes(at, page, last);
        }
        step(at, VirtAddr{page});
        u64 const following = page + span(at.level).value;
        if (following - 1 >= last) { // modulo 2^64: also where the range ends with the space
            return;
        }
        next = following;
    }
}

template<EntryCodec Codec, TableAccess Access>
template<class Visit>
void PageTable<Codec, Access>::for_each_leaf(VirtAddr address, Bytes size, Visit&& visit) {
    walk(address, size, [&](Position const& at, VirtAddr page) {
        if (Codec::is_present(at.value)) {
            visit(page, decode(at.value, at.level), at.level);
        }
    });
}

template<EntryCodec Codec, TableAccess Access>
template<class Removed>
void PageTable<Codec, Access>::unmap(
    VirtAddr address, Bytes size, FlushBatch& batch, Removed&& removed) {
    u64 const last = address.value + (size.value - 1);
    walk(address, size, [&](Position const& at, VirtAddr page) {
        u64 const page_last = page.value + (span(at.level).value - 1);
        if (Codec::is_present(at.value)) {
            CHECK(page >= address && page_last <= last);
            at.entry->store(0, release);
            batch.note(page, span(at.level));
            removed(page, decode(at.value, at.level), at.level);
        }
        // The last entry of a table that this range covers: what is left of it tells whether it
        // stays.
        if (page_last >= last || Codec::index(page, at.level) == entries - 1) {
            prune(at, page, batch);
        }
    });
}

template<EntryCodec Codec, TableAccess Access>
template<class Change>
void PageTable<Codec, Access>::rewrite(
    VirtAddr address, Bytes size, FlushBatch& batch, Change&& change) {
    u64 const last = address.value + (size.value - 1);
    walk(address, size, [&](Position const& at, VirtAddr page) {
        if (!Codec::is_present(at.value)) {
            return;
        }
        CHECK(page >= address && page.value + (span(at.level).value - 1) <= last);
        Leaf leaf = decode(at.value, at.level);
        if (change(page, leaf, at.level)) {
            at.entry->store(Codec::encode_leaf(leaf.mapping(), at.level), release);
            batch.note(page, span(at.level));
        }
    });
}

template<EntryCodec Codec, TableAccess Access>
bool PageTable<Codec, Access>::is_empty(PhysAddr table, VirtAddr address, unsigned level) {
    for (TableEntry const& entry :
         std::span(m_access.entries(table, address, level), usize{entries})) {
        if (Codec::is_present(entry.load(relaxed))) {
            return false;
        }
    }
    return true;
}

/// Takes the tables of `at` away that hold nothing, from the lowest up.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::prune(Position const& at, VirtAddr address, FlushBatch& batch) {
    unsigned const highest = m_kind == Root::fixed ? levels - 2 : levels - 1;
    for (unsigned level = at.level; level < highest; ++level) {
        if (!is_empty(at.tables[level], address, level)) {
            return;
        }
        entry_of(at.tables[level + 1], address, level + 1).store(0, release);
        // A processor may have kept the way to the table: any flush within its reach drops that.
        batch.note(align_down(address, page_size), page_size);
        batch.retire_table(at.tables[level]);
        CHECK(m_tables > 0);
        --m_tables;
    }
}

/// Replaces the leaf at `at` by `table`, filled with leaves that say the same.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::split(
    Position const& at, VirtAddr address, PhysAddr table, FlushBatch& batch) {
    CHECK(at.level > 0 && Codec::is_leaf(at.value, at.level));
    Leaf leaf = decode(at.value, at.level);
    for (TableEntry& entry : std::span(m_access.stage(table), usize{entries})) {
        entry.store(Codec::encode_leaf(leaf.mapping(), at.level - 1), relaxed);
        leaf.frame += span(at.level - 1);
    }
    at.entry->store(Codec::encode_table(table), release);
    ++m_tables;
    batch.note(align_down(address, span(at.level)), span(at.level));
}

template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::split_with(VirtAddr boundary, PhysAddr table, FlushBatch& batch) {
    split(locate(boundary), boundary, table, batch);
}

template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::split_at(VirtAddr boundary, FlushBatch& batch) {
    CHECK(is_aligned(boundary, page_size));
    if (!Codec::is_canonical(boundary)) {
        return {}; // the end of the lower half
    }
    for (unsigned divisions = 0; divisions < levels; ++divisions) {
        Position const at = locate(boundary);
        if (!Codec::is_present(at.value) || is_aligned(boundary, span(at.level))) {
            return {};
        }
        split(at, boundary, TRY(m_frames->allocate(0)), batch);
    }
    UNREACHABLE();
}

template<EntryCodec Codec, TableAccess Access>
bool PageTable<Codec, Access>::promote(VirtAddr address, unsigned level, FlushBatch& batch) {
    if (level == 0 || level > Codec::highest_leaf_level() || !Codec::is_canonical(address)) {
        return false;
    }
    address = align_down(address, span(level));
    Position const at = locate(address, level);
    if (at.level != level || !Codec::is_present(at.value) || Codec::is_leaf(at.value, level)) {
        return false;
    }
    PhysAddr const table = Codec::decode_table(at.value);
    auto const parts = std::span(m_access.entries(table, address, level - 1), usize{entries});
    // Decoded, since processors set bits of their own in entries.
    auto const leaf_of = [&](TableEntry const& part) -> std::optional<Leaf> {
        u64 const value = part.load(relaxed);
        return Codec::is_leaf(value, level - 1) ? std::optional(decode(value, level - 1))
                                                : std::nullopt;
    };
    std::optional<Leaf> const first = leaf_of(parts[0]);
    if (!first || !is_aligned(first->frame, span(level))) {
        return false;
    }
    Leaf const leaf = *first;
    Leaf expected = leaf;
    for (TableEntry const& part : parts) {
        if (leaf_of(part) != expected) {
            return false;
        }
        expected.frame += span(level - 1);
    }
    at.entry->store(Codec::encode_leaf(leaf.mapping(), level), release);
    batch.note(address, span(level));
    batch.retire_table(table);
    CHECK(m_tables > 0);
    --m_tables;
    return true;
}

template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::fix_root_entry(VirtAddr address) {
    CHECK(m_kind == Root::fixed);
    Position at = locate(address, levels - 1);
    if (Codec::is_present(at.value)) {
        return {};
    }
    m_kind = Root::free;
    Result<void> const added = add_table(at, address);
    m_kind = Root::fixed;
    return added;
}

} // namespace twofold::memory
