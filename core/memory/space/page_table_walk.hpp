// The page-table engine's class, and how it walks, maps and unmaps. Its users include
// page_table.hpp, which says what it is.
#pragma once

#include "core/memory/space/access.hpp"
#include "core/memory/space/flush_batch.hpp"
#include "core/memory/space/frame_stock.hpp"
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

    /// How much one call may do before it returns: a leaf costs `leaf_cost`, an entry that is not
    /// present 1. What comes back is how many bytes were passed.
    static constexpr u64 unlimited = ~u64{0};
    static constexpr u64 leaf_cost = 4;

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
    /// out_of_range (not canonical), already_exists (something is mapped there), out_of_memory,
    /// busy (the stock is short). O(levels).
    Result<void> map(VirtAddr address, Leaf const& leaf, unsigned level, FrameStock& stock);
    /// The same with tables that are allocated at once.
    Result<void> map(VirtAddr address, Leaf const& leaf, unsigned level) {
        FrameStock stock(*m_frames, FrameStock::Mode::on_demand);
        return map(address, leaf, level, stock);
    }
    /// Gets a stock what it lacks, filled. Without any lock. Errors: out_of_memory. O(entries).
    static Result<void> prepare(FrameStock& stock);

    /// Whether a page of `level` could be mapped at `address`. O(levels).
    bool is_free(VirtAddr address, unsigned level) {
        return !Codec::is_present(locate(address, level).value);
    }

    /// Where `address` leads, if anywhere. O(levels).
    std::optional<Translation> translate(VirtAddr address);

    /// Calls visit(page address, leaf, level) for each leaf that begins in [address, address +
    /// size), or holds `address`, in ascending order. O(leaves + holes).
    template<class Visit>
    Bytes for_each_leaf(VirtAddr address, Bytes size, Visit&& visit, u64 budget = unlimited);

    /// Looks for the first leaf that holds `address` or begins after it in [address, address +
    /// size); how many bytes before it were passed comes back, all of them where there is none.
    Bytes next_leaf(
        VirtAddr address, Bytes size, std::optional<Translation>& found, u64 budget = unlimited);

    /// Takes the leaves of a range away, calling removed(page address, leaf, level) for each. No
    /// leaf may cross an end of the range (split_at). Tables that become empty go too. O(leaves +
    /// holes).
    template<class Removed>
    Bytes unmap(
        VirtAddr address, Bytes size, FlushBatch& batch, Removed&& removed, u64 budget = unlimited);

    /// Calls change(page address, leaf&, level) for each leaf of a range, and writes it back where
    /// that returns true. No leaf may cross an end of the range. O(leaves + holes).
    template<class Change>
    Bytes rewrite(
        VirtAddr address, Bytes size, FlushBatch& batch, Change&& change, u64 budget = unlimited);

    /// Replaces the leaf of `level` at `page` by `leaf`, with no moment at which one processor sees
    /// the old page and another the new one. O(levels), and a flush.
    void replace(VirtAddr page, unsigned level, Leaf const& leaf, FlushBatch& batch);

    /// Divides leaves until none crosses `boundary`, which is page-aligned. Errors: out_of_memory,
    /// busy (the stock is short); what is mapped stays the same in any case. O(levels).
    Result<void> split_at(VirtAddr boundary, FlushBatch& batch, FrameStock& stock);
    /// The same with tables that are allocated at once. O(levels * entries).
    Result<void> split_at(VirtAddr boundary, FlushBatch& batch) {
        FrameStock stock(*m_frames, FrameStock::Mode::on_demand);
        return split_at(boundary, batch, stock);
    }

    /// What a table must hold that divides the leaf which crosses `boundary`; nothing if none does.
    /// O(levels).
    std::optional<FrameStock::Content> division_at(VirtAddr boundary);
    /// Fills a frame, reached through the linear window. O(entries).
    static void fill_table(PhysAddr table, FrameStock::Content const& content);
    /// Divides the one leaf that crosses `boundary`, with `table` as the new table: a frame of the
    /// engine's SharedFrames, filled with what division_at says, that becomes its own. O(levels).
    void split_with(VirtAddr boundary, PhysAddr table, FlushBatch& batch);

    /// Whether a table of `level - 1` is linked at `address` that is full. O(levels).
    bool is_full(VirtAddr address, unsigned level);
    /// Takes a full table of leaves away and puts `leaf` in its place, as `replace` does.
    /// O(levels), and a flush.
    void replace_table(VirtAddr address, unsigned level, Leaf const& leaf, FlushBatch& batch);

    /// Joins the leaves below `address` into one of `level`: all there, alike, and contiguous in
    /// physical memory from a multiple of its size on. False if they are not. O(entries).
    bool promote(VirtAddr address, unsigned level, FlushBatch& batch);

    /// Makes sure that there is a table for `address` below the root, and counts the entries of all
    /// tables below that. Only for a fixed root, before anything is changed. O(tables).
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
    void descend(Position& at, VirtAddr address, unsigned lowest);
    u64 pass_holes(Position& at, u64& page, u64 last, u64 most);
    void count_entries(Position const& at, i32 more) {
        count_entries(at.tables[at.level], at.level, more);
    }
    void count_entries(PhysAddr table, unsigned level, i32 more);
    void adopt_table(PhysAddr table, unsigned level);
    Result<PhysAddr> take_table(FrameStock& stock, FrameStock::Content const& content);
    void fill(TableEntry* table, FrameStock::Content const& content);
    Result<void> add_table(Position& at, VirtAddr address, FrameStock& stock);
    void link_parts(Position const& at, VirtAddr address, PhysAddr table, FlushBatch& batch);
    void prune(Position const& at, VirtAddr address, FlushBatch& batch);
    template<class Step>
    Bytes walk(VirtAddr address, Bytes size, u64 budget, Step&& step);
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
    at.entry = &entry_of(m_root, address, at.level);
    at.value = at.entry->load(acquire);
    descend(at, address, lowest);
    return at;
}

template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::descend(Position& at, VirtAddr address, unsigned lowest) {
    while (at.level > lowest && Codec::is_present(at.value) &&
           !Codec::is_leaf(at.value, at.level)) {
        PhysAddr const table = Codec::decode_table(at.value);
        --at.level;
        at.tables[at.level] = table;
        at.entry = &entry_of(table, address, at.level);
        at.value = at.entry->load(acquire);
    }
}

/// The root is not counted: it stays, and others may write to it.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::count_entries(PhysAddr table, unsigned level, i32 more) {
    if (level == levels - 1) {
        return;
    }
    SharedFrames::Count& count = m_frames->table_entries(table);
    u32 const now = count.load(relaxed) + static_cast<u32>(more);
    CHECK(now <= entries);
    count.store(now, relaxed);
}

template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::fill(TableEntry* table, FrameStock::Content const& content) {
    auto const parts = std::span(table, usize{entries});
    if (content.entry == 0) {
        for (TableEntry& entry : parts) {
            entry.store(0, relaxed);
        }
        return;
    }
    CHECK(content.level > 0 && Codec::is_leaf(content.entry, content.level));
    Leaf leaf = decode(content.entry, content.level);
    for (TableEntry& entry : parts) {
        entry.store(Codec::encode_leaf(leaf.mapping(), content.level - 1), relaxed);
        leaf.frame += span(content.level - 1);
    }
}

template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::fill_table(PhysAddr table, FrameStock::Content const& content) {
    Leaf leaf = decode(content.entry, content.level);
    for (TableEntry& entry : std::span(frame_object<TableEntry>(table), usize{entries})) {
        entry.store(Codec::encode_leaf(leaf.mapping(), content.level - 1), relaxed);
        leaf.frame += span(content.level - 1);
    }
}

template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::prepare(FrameStock& stock) {
    return stock.refill(
        [](PhysAddr table, FrameStock::Content const& content) { fill_table(table, content); });
}

/// A table that says this. Errors: out_of_memory; busy: the stock is short.
template<EntryCodec Codec, TableAccess Access>
Result<PhysAddr>
PageTable<Codec, Access>::take_table(FrameStock& stock, FrameStock::Content const& content) {
    if (stock.is_on_demand()) {
        PhysAddr const table = TRY(m_frames->allocate(0));
        fill(m_access.stage(table), content);
        return table;
    }
    std::optional<PhysAddr> const table = stock.take(content);
    return table ? Result<PhysAddr>(*table) : Result<PhysAddr>(Error::busy);
}

/// Links an empty table at `at`, whose entry is not present, and goes down to it.
template<EntryCodec Codec, TableAccess Access>
Result<void>
PageTable<Codec, Access>::add_table(Position& at, VirtAddr address, FrameStock& stock) {
    CHECK(!Codec::is_present(at.value) && at.level > 0);
    CHECK(m_kind == Root::free || at.level < levels - 1);
    PhysAddr const table = TRY(take_table(stock, {}));
    at.entry->store(Codec::encode_table(table), release);
    count_entries(at, 1);
    ++m_tables;
    --at.level;
    at.tables[at.level] = table;
    at.entry = &entry_of(table, address, at.level);
    at.value = 0;
    return {};
}

template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::map(
    VirtAddr address, Leaf const& leaf, unsigned level, FrameStock& stock) {
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
    if (!stock.is_on_demand() && !stock.covers(at.level - level)) {
        return Error::busy;
    }
    while (at.level > level) {
        if (Result<void> const added = add_table(at, address, stock); !added) {
            FlushBatch batch(*m_frames, FlushBatch::Reach::cached);
            prune(at, address, batch);
            return added;
        }
    }
    at.entry->store(Codec::encode_leaf(leaf.mapping(), level), release);
    count_entries(at, 1);
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
/// `last`, over `most` entries at most; returns how many it has passed, its own included.
template<EntryCodec Codec, TableAccess Access>
u64 PageTable<Codec, Access>::pass_holes(Position& at, u64& page, u64 last, u64 most) {
    u64 const step = span(at.level).value;
    u64 passed = 1;
    while (page + (step - 1) < last && Codec::index({page}, at.level) != entries - 1 &&
           passed < most) {
        TableEntry& entry = entry_of(at.tables[at.level], {page + step}, at.level);
        u64 const value = entry.load(acquire);
        if (Codec::is_present(value)) {
            break;
        }
        page += step;
        at.entry = &entry;
        at.value = value;
        ++passed;
    }
    return passed;
}

/// Calls step(position, first address) for each leaf of a range, and for the last of each run of
/// holes in a table; a hole is an entry that is not present, at whatever level the walk ended. The
/// step may change the entry; at the last entry of a table, or of the range, it may take tables
/// away that hold nothing of what follows.
template<EntryCodec Codec, TableAccess Access>
template<class Step>
Bytes PageTable<Codec, Access>::walk(VirtAddr address, Bytes size, u64 budget, Step&& step) {
    CHECK(size.value != 0 && budget != 0);
    u64 const last = address.value + (size.value - 1);
    CHECK(last >= address.value);
    Position at = locate(address);
    for (u64 next = address.value;;) {
        u64 page = align_down(next, span(at.level).value);
        u64 const cost =
            Codec::is_present(at.value) ? leaf_cost : pass_holes(at, page, last, budget);
        step(at, VirtAddr{page});
        u64 const following = page + span(at.level).value;
        if (following - 1 >= last) { // modulo 2^64: also where the range ends with the space
            return size;
        }
        next = following;
        if (cost >= budget) {
            return {next - address.value};
        }
        budget -= budget == unlimited ? 0 : cost;
        if (Codec::index({page}, at.level) == entries - 1) {
            at = locate({next});
        } else {
            at.entry = &entry_of(at.tables[at.level], {next}, at.level);
            at.value = at.entry->load(acquire);
            descend(at, {next}, 0);
        }
    }
}

template<EntryCodec Codec, TableAccess Access>
template<class Visit>
Bytes PageTable<Codec, Access>::for_each_leaf(
    VirtAddr address, Bytes size, Visit&& visit, u64 budget) {
    return walk(address, size, budget, [&](Position const& at, VirtAddr page) {
        if (Codec::is_present(at.value)) {
            visit(page, decode(at.value, at.level), at.level);
        }
    });
}

template<EntryCodec Codec, TableAccess Access>
Bytes PageTable<Codec, Access>::next_leaf(
    VirtAddr address, Bytes size, std::optional<Translation>& found, u64 budget) {
    CHECK(size.value != 0 && budget != 0);
    u64 const last = address.value + (size.value - 1);
    for (u64 next = address.value;;) {
        Position at = locate({next});
        u64 page = align_down(next, span(at.level).value);
        if (Codec::is_present(at.value)) {
            Leaf const leaf = decode(at.value, at.level);
            found = Translation{leaf.frame, leaf, at.level, {page}};
            return {next - address.value};
        }
        u64 const cost = pass_holes(at, page, last, budget);
        u64 const following = page + span(at.level).value;
        if (following - 1 >= last) {
            return size;
        }
        next = following;
        if (cost >= budget) {
            return {next - address.value};
        }
        budget -= budget == unlimited ? 0 : cost;
    }
}

template<EntryCodec Codec, TableAccess Access>
template<class Removed>
Bytes PageTable<Codec, Access>::unmap(
    VirtAddr address, Bytes size, FlushBatch& batch, Removed&& removed, u64 budget) {
    u64 const last = address.value + (size.value - 1);
    return walk(address, size, budget, [&](Position const& at, VirtAddr page) {
        u64 const page_last = page.value + (span(at.level).value - 1);
        if (Codec::is_present(at.value)) {
            CHECK(page >= address && page_last <= last);
            at.entry->store(0, release);
            count_entries(at, -1);
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
Bytes PageTable<Codec, Access>::rewrite(
    VirtAddr address, Bytes size, FlushBatch& batch, Change&& change, u64 budget) {
    u64 const last = address.value + (size.value - 1);
    return walk(address, size, budget, [&](Position const& at, VirtAddr page) {
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

} // namespace twofold::memory
