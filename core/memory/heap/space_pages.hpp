// The pages of the space: how far it has grown, which of them are committed, and which go back.
// Part of space.hpp.
#pragma once

#include "core/memory/heap/space.hpp"

namespace twofold::memory::heap {

/// Grows the block space so that the last hole has `least` granules at least, `wanted` if there is
/// room. Errors: out_of_memory.
template<HeapBacking Backing>
Result<void> Space<Backing>::grow(u64 wanted, u64 least) {
    u64 const before = m_top == 0 ? none : m_taken.previous_set(m_top);
    u64 const start = before == none ? 0 : before + 1;
    u64 const room = m_layout.granules - start;
    if (least > room) {
        return Error::out_of_memory;
    }
    u64 const length = std::min(std::max(wanted, growth_granules), room);
    u64 const end = std::max(align_up(start + length, page_granules), m_top);
    TRY(commit_tables(end));
    m_top = end;
    rekey(page_of(start));
    return {};
}

template<HeapBacking Backing>
void Space<Backing>::recede() {
    flush_stale();
    u64 const before = m_top == 0 ? none : m_taken.previous_set(m_top);
    u64 const start = before == none ? 0 : before + 1; // of the hole that ends at the top
    u64 pages = page_of(m_top);
    while (pages > page_of(align_up(start, page_granules)) && m_holes[pages - 1].committed == 0) {
        --pages;
    }
    u64 const top = pages * page_granules;
    if (top != m_top) {
        m_holes.set_key(page_of(start), 0);
        m_top = top;
        if (start < top) {
            rekey(page_of(start));
        }
    }
    for (usize i = 0; i < m_layout.table_count; ++i) {
        u64 const want = m_top == 0 ? 0 : m_layout.tables[i].bytes_for(m_top);
        u64 const have = m_table_committed[i];
        if (want < have) {
            m_backing.decommit({m_layout.tables[i].offset + want}, {have - want});
            m_table_bytes -= have - want;
            m_table_committed[i] = want;
        }
    }
}

template<HeapBacking Backing>
Result<void> Space<Backing>::commit_tables(u64 end) {
    for (usize i = 0; i < m_layout.table_count; ++i) {
        u64 const want = m_layout.tables[i].bytes_for(end);
        u64 const have = m_table_committed[i];
        if (want > have) {
            TRY(m_backing.commit({m_layout.tables[i].offset + have}, {want - have}));
            m_table_bytes += want - have;
            m_table_committed[i] = want;
        }
    }
    return {};
}

/// Commits what is not committed of the pages from `first` to `last`; on an error some may be, and
/// are idle.
template<HeapBacking Backing>
Result<void> Space<Backing>::make_accessible(u64 first, u64 last) {
    for (u64 page = first; page <= last; ++page) {
        if (m_holes[page].committed == 0) [[unlikely]] {
            TRY(commit_pages(page, last));
        }
    }
    return {};
}

/// Commits the page `first` and those up to `last` that follow it without a gap, and a few ahead;
/// they are idle then. Errors: what the backing answers.
template<HeapBacking Backing>
Result<void> Space<Backing>::commit_pages(u64 first, u64 last) {
    u64 const end = page_of(m_top);
    u64 needed = 1;
    while (first + needed <= last && m_holes[first + needed].committed == 0) {
        ++needed;
    }
    u64 count = needed;
    while (count < ahead_pages && first + count < end && m_holes[first + count].committed == 0) {
        ++count;
    }
    Result<void> done = m_backing.commit(page_offset(first), {count * page_size.value});
    if (!done && count > needed) {
        count = needed;
        done = m_backing.commit(page_offset(first), {count * page_size.value});
    }
    if (!done && !mutant(Mutant::heap_commit_believed)) {
        return done;
    }
    ++m_commits;
    for (u64 page = first; page < first + count; ++page) {
        m_holes[page].committed = 1;
        m_holes[page].idle = 1;
    }
    m_idle.set(first, count);
    m_idle_pages += count;
    m_committed_pages += count;
    return {};
}

template<HeapBacking Backing>
void Space<Backing>::trim(u64 keep) {
    while (m_idle_pages > keep) {
        u64 const last = m_idle.previous_set(page_of(m_top));
        CHECK(last != none);
        u64 first = last;
        while (first > 0 && m_idle_pages - (last - first + 1) > keep && m_holes[first - 1].idle) {
            --first;
        }
        u64 const count = last - first + 1;
        m_idle.clear(first, count);
        m_idle_pages -= count;
        m_committed_pages -= count;
        for (u64 page = first; page <= last; ++page) {
            m_holes[page].committed = 0;
            m_holes[page].idle = 0;
        }
        m_backing.decommit(page_offset(first), {count * page_size.value});
    }
}

} // namespace twofold::memory::heap
