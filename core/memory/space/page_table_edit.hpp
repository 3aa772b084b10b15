// The rest of the page-table engine: pages replaced, large ones divided and joined, empty tables
// taken away, tables that others have made.
// Its users include page_table.hpp.
#pragma once

#include "core/memory/space/page_table_walk.hpp"

namespace twofold::memory {

/// Between the two stores the page is nowhere: whoever touches it then waits for the caller's lock.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::replace(
    VirtAddr page, unsigned level, Leaf const& leaf, FlushBatch& batch) {
    Position const at = locate(page, level);
    CHECK(at.level == level && Codec::is_leaf(at.value, level) && is_aligned(page, span(level)));
    at.entry->store(0, release);
    batch.note(page, span(level));
    batch.flush();
    at.entry->store(Codec::encode_leaf(leaf.mapping(), level), release);
}

/// Takes the tables of `at` away that hold nothing, from the lowest up.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::prune(Position const& at, VirtAddr address, FlushBatch& batch) {
    unsigned const highest = m_kind == Root::fixed ? levels - 2 : levels - 1;
    for (unsigned level = at.level; level < highest; ++level) {
        if (m_frames->table_entries(at.tables[level]).load(relaxed) != 0) {
            return;
        }
        entry_of(at.tables[level + 1], address, level + 1).store(0, release);
        count_entries(at.tables[level + 1], level + 1, -1);
        // A processor may have kept the way to the table: any flush within its reach drops that.
        batch.note(align_down(address, page_size), page_size);
        batch.retire_table(at.tables[level]);
        CHECK(m_tables > 0);
        --m_tables;
    }
}

/// Replaces the leaf at `at` by `table`, which says the same.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::link_parts(
    Position const& at, VirtAddr address, PhysAddr table, FlushBatch& batch) {
    CHECK(at.level > 0 && Codec::is_leaf(at.value, at.level));
    count_entries(table, at.level - 1, static_cast<i32>(entries));
    at.entry->store(Codec::encode_table(table), release);
    ++m_tables;
    batch.note(align_down(address, span(at.level)), span(at.level));
}

template<EntryCodec Codec, TableAccess Access>
auto PageTable<Codec, Access>::division_at(VirtAddr boundary)
    -> std::optional<FrameStock::Content> {
    CHECK(is_aligned(boundary, page_size));
    if (!Codec::is_canonical(boundary)) {
        return std::nullopt; // the end of the lower half
    }
    Position const at = locate(boundary);
    bool const crosses = Codec::is_present(at.value) && !is_aligned(boundary, span(at.level));
    return crosses ? std::optional(FrameStock::Content{at.value, at.level}) : std::nullopt;
}

template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::split_with(VirtAddr boundary, PhysAddr table, FlushBatch& batch) {
    link_parts(locate(boundary), boundary, table, batch);
}

template<EntryCodec Codec, TableAccess Access>
Result<void>
PageTable<Codec, Access>::split_at(VirtAddr boundary, FlushBatch& batch, FrameStock& stock) {
    for (unsigned divisions = 0; divisions < levels; ++divisions) {
        auto const content = division_at(boundary);
        if (!content) {
            return {};
        }
        PhysAddr const table = TRY(take_table(stock, *content));
        link_parts(locate(boundary), boundary, table, batch);
    }
    UNREACHABLE();
}

template<EntryCodec Codec, TableAccess Access>
bool PageTable<Codec, Access>::is_full(VirtAddr address, unsigned level) {
    Position const at = locate(address, level);
    return at.level == level && Codec::is_present(at.value) && !Codec::is_leaf(at.value, level) &&
           m_frames->table_entries(Codec::decode_table(at.value)).load(relaxed) == entries;
}

template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::replace_table(
    VirtAddr address, unsigned level, Leaf const& leaf, FlushBatch& batch) {
    CHECK(is_full(address, level));
    Position const at = locate(address, level);
    PhysAddr const table = Codec::decode_table(at.value);
    at.entry->store(0, release);
    batch.note(address, span(level));
    batch.flush();
    at.entry->store(Codec::encode_leaf(leaf.mapping(), level), release);
    count_entries(table, level - 1, -static_cast<i32>(entries));
    batch.retire_table(table);
    CHECK(m_tables > 0);
    --m_tables;
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
    replace_table(address, level, leaf, batch);
    return true;
}

/// Counts the entries of a table that others have made, and of those below it. Recurses once a
/// level.
template<EntryCodec Codec, TableAccess Access>
void PageTable<Codec, Access>::adopt_table(PhysAddr table, unsigned level) {
    i32 present = 0;
    for (TableEntry const& each : std::span(frame_object<TableEntry>(table), usize{entries})) {
        u64 const value = each.load(relaxed);
        if (!Codec::is_present(value)) {
            continue;
        }
        ++present;
        if (!Codec::is_leaf(value, level)) {
            adopt_table(Codec::decode_table(value), level - 1);
        }
    }
    m_frames->table_entries(table).store(0, relaxed);
    count_entries(table, level, present);
}

template<EntryCodec Codec, TableAccess Access>
Result<void> PageTable<Codec, Access>::fix_root_entry(VirtAddr address) {
    CHECK(m_kind == Root::fixed);
    Position at = locate(address, levels - 1);
    if (Codec::is_present(at.value)) {
        adopt_table(Codec::decode_table(at.value), levels - 2);
        return {};
    }
    m_kind = Root::free;
    FrameStock stock(*m_frames, FrameStock::Mode::on_demand);
    Result<void> const added = add_table(at, address, stock);
    m_kind = Root::fixed;
    return added;
}

} // namespace twofold::memory
