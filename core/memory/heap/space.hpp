// The back end: which granules are taken, and where the next block goes. One bit a granule says
// "taken", holes are runs of zeros, so that a freed block merges with its neighbours without a step
// of its own and a hole that one size left serves every other. Best fit through the hole index.
//
// Pages are committed when a block first lies on them. A page without a block is idle; idle pages
// are kept while the demand of late may need them again, and given back beyond that (see `trim`).
//
// Not thread-safe: the heap's lock is held.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/backing.hpp"
#include "core/memory/heap/bit_tree.hpp"
#include "core/memory/heap/geometry.hpp"
#include "core/memory/heap/hole_index.hpp"
#include "core/memory/heap/layout.hpp"
#include "core/memory/heap/raw.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace twofold::memory::heap {

template<HeapBacking Backing>
class Space {
public:
    static constexpr u64 none = BitTree::none;

    Space(Backing& backing, Layout const& layout) : m_backing(backing), m_layout(layout) {
        std::byte* const base = backing.range().base;
        m_holes.set_pages(table<PageEntry>(base, layout.page_entries));
        for (unsigned level = 0; level < BitTree::level_count(layout.granules); ++level) {
            m_taken.set_level(level, table<u64>(base, layout.taken_levels + level));
        }
        u64 const pages = layout.granules / page_granules;
        for (unsigned level = 0; level < BitTree::level_count(pages); ++level) {
            m_idle.set_level(level, table<u64>(base, layout.idle_levels + level));
        }
    }
    Space(Space const&) = delete;
    Space& operator=(Space const&) = delete;

    /// Takes runs of `length` granules each, `starts.size()` of them at most; those of one hole lie
    /// side by side. Returns how many, at least 1. Errors: out_of_memory.
    Result<usize> take_many(u64 length, std::span<u32> starts) {
        usize got = 0;
        while (got < starts.size()) {
            u64 page = find(length);
            if (page == none) {
                if (got != 0 || !grow(length * starts.size(), length)) {
                    break;
                }
                page = find(length);
                CHECK(page != none);
            }
            Fit const fit = tightest(page, length);
            Run const hole = fit.hole;
            u64 const count = std::min<u64>(starts.size() - got, hole.count / length);
            if (!occupy(fit, {hole.first, count * length})) {
                break;
            }
            for (u64 i = 0; i < count; ++i) {
                starts[got++] = static_cast<u32>(hole.first + i * length);
            }
        }
        if (got == 0) {
            return Error::out_of_memory;
        }
        return got;
    }

    /// Takes one run of `length` granules whose address is a multiple of `alignment` granules (a
    /// power of two). Errors: out_of_memory.
    Result<u64> take(u64 length, u64 alignment) {
        u64 const room = length + alignment - 1;
        if (room < length || room > m_layout.granules) {
            return Error::out_of_memory;
        }
        u64 page = find(room);
        if (page == none) {
            if (Result<void> const grown = grow(room, room); !grown) {
                recede();
                return grown.error();
            }
            page = find(room);
            CHECK(page != none);
        }
        Fit const fit = tightest(page, room);
        u64 first = fit.hole.first;
        if (alignment != 1) {
            u64 const phase = blocks_phase(alignment);
            first = align_up(first + phase, alignment) - phase;
        }
        if (Result<void> const done = occupy(fit, {first, length}); !done) {
            trim(0); // a part of the pages may be there already
            recede();
            return done.error();
        }
        return first;
    }

    /// Takes the granules [first, first + count) if all of them are free. Errors: out_of_memory.
    Result<void> take_at(u64 first, u64 count) {
        u64 const end = next_taken(first);
        if (end - first < count) {
            return Error::out_of_memory;
        }
        flush_stale();
        u64 const start = hole_start(first);
        return occupy(fit_of({start, end - start}), {first, count});
    }

    /// Gives back a run that was taken, or a part of one.
    void give(Run run) {
        m_peak = std::max(m_peak, m_used);
        m_used -= run.count;
        m_traffic += run.count;
        m_taken.clear(run.first, run.count);
        u64 const end = run.first + run.count;
        Run const hole = hole_around(run);
        raise(page_of(hole.first), hole.count);
        u64 const hole_end = hole.first + hole.count;
        if (hole_end != end && page_of(end) != page_of(hole.first)) {
            lower(page_of(end), {end, hole_end - end}); // began here, now begins before
        }
        u64 const first = std::max(page_of(run.first), page_of(hole.first + page_granules - 1));
        u64 const last = std::min(page_of(end - 1) + 1, page_of(hole_end));
        for (u64 page = first; page < last; ++page) {
            note_idle(page);
        }
    }

    /// Gives back runs of `length` granules each. What the index says of their pages is brought up
    /// to date once for all of them, before the next request or with `settle`.
    void give_many(u64 length, std::span<u32 const> starts) {
        m_peak = std::max(m_peak, m_used);
        m_used -= length * starts.size();
        m_traffic += length * starts.size();
        for (usize i = 0; i < starts.size();) {
            Run run{starts[i], length}; // what was taken in a row often comes back in a row
            for (++i; i < starts.size() && starts[i] == run.first + run.count; ++i) {
                run.count += length;
            }
            m_taken.clear(run.first, run.count);
            u64 const last = page_of(run.first + run.count - 1);
            for (u64 page = page_of(run.first); page <= last; ++page) {
                if (m_holes[page].stale == 0) {
                    note_stale(page);
                }
            }
        }
    }

    /// Brings the index up to date and gives idle pages back beyond what the demand of late asks
    /// for. Before the lock is released, after any of the above.
    void settle() {
        flush_stale();
        u64 const keep = std::max(idle_floor, m_used / page_granules / idle_share);
        if (m_idle_pages > 2 * keep && m_committed_pages > retained_pages()) {
            trim(keep);
        }
    }

    /// Gives idle pages back until at most `keep` are left; the highest go first. O(pages given).
    void trim(u64 keep);

    /// Lowers the end of the block space to the last page that is accessible, and gives back what
    /// the tables have beyond it: after growth that failed, or when all that can go shall go.
    /// O(pages that go).
    void recede();

    bool is_taken(u64 granule) const { return granule < m_top && m_taken.test(granule); }
    /// The end of the free run that begins at `granule`; `granule` itself if it is taken.
    u64 next_taken(u64 granule) const {
        u64 const next = granule < m_top ? m_taken.next_set(granule) : m_top;
        return next == none ? m_top : next;
    }
    /// The first taken granule at or after `from`; `none` if there is none.
    u64 first_taken(u64 from) const { return from < m_top ? m_taken.next_set(from) : none; }
    /// Whether one of `count` granules from `first` on is free.
    bool free_from(u64 first, u64 count) const {
        for (u64 granule = first; granule < first + count; ++granule) {
            if (!is_taken(granule)) {
                return true;
            }
        }
        return false;
    }
    u64 top() const { return m_top; }
    u64 used_granules() const { return m_used; }
    u64 committed_pages() const { return m_committed_pages; }
    u64 idle_pages() const { return m_idle_pages; }
    /// How often pages of blocks were committed.
    u64 commits() const { return m_commits; }
    u64 table_bytes() const { return m_table_bytes; }

    /// Whether trees, keys, counts and page states agree with the bits. O(top).
    bool is_consistent() const;

private:
    /// Idle pages that are kept in any case, and the share of those in use that are kept beside.
    static constexpr u64 idle_floor = 32;
    static constexpr u64 idle_share = 128;
    static constexpr u64 growth_granules = 16 * page_granules;
    static constexpr u64 ahead_pages = 8;
    static constexpr u32 stale_max = 16;

    /// A hole, and the longest of the others that begin in its page.
    struct Fit {
        Run hole;
        u64 other;
    };

    template<class T>
    std::span<T> table(std::byte* base, usize index) const {
        TablePlan const& plan = m_layout.tables[index];
        return table_at<T>(base, plan.offset, plan.bytes / sizeof(T));
    }
    Bytes page_offset(u64 page) const { return {m_layout.blocks_offset + page * page_size.value}; }
    /// How far the block space begins behind a multiple of `alignment` granules.
    u64 blocks_phase(u64 alignment) const {
        u64 const base = address_of(m_backing.range().base) + m_layout.blocks_offset;
        return (base >> granule_shift) & (alignment - 1);
    }
    /// Demand of late, in pages: the most that was in use during this window and the one before; a
    /// window lasts while three quarters as much is given back.
    u64 retained_pages() {
        u64 const demand = std::max({m_peak, m_peak_before, m_used});
        if (m_traffic > demand / 4 * 3 + growth_granules) {
            m_traffic = 0;
            m_peak_before = m_peak;
            m_peak = m_used;
        }
        u64 const pages = demand / page_granules;
        return pages + pages / idle_share + idle_floor;
    }

    Result<void> grow(u64 wanted, u64 least);
    Result<void> commit_tables(u64 end);
    Result<void> occupy(Fit const& fit, Run run);
    Result<void> make_accessible(u64 first, u64 last);
    Result<void> commit_pages(u64 first, u64 last);
    void refresh(u64 page);

    void note_stale(u64 page) {
        if (m_stale_count == stale_max) {
            flush_stale();
        }
        m_holes[page].stale = 1;
        m_stale[m_stale_count++] = static_cast<u32>(page);
    }
    void note_idle(u64 page) {
        CHECK(m_holes[page].committed != 0);
        if (m_holes[page].idle == 0) {
            m_holes[page].idle = 1;
            m_idle.set(page, 1);
            ++m_idle_pages;
        }
    }
    /// Where the hole begins that reaches `granule` from below; `granule` if none does.
    u64 hole_start(u64 granule) const {
        if (granule == 0 || m_taken.test(granule - 1)) {
            return granule;
        }
        u64 const before = m_taken.previous_set(granule);
        return before == none ? 0 : before + 1;
    }
    /// The hole of which the free run `run` is a part.
    Run hole_around(Run run) const {
        u64 const start = hole_start(run.first);
        return {start, next_taken(run.first + run.count) - start};
    }
    /// A hole of `count` granules begins in `page`: it is the longest there or changes nothing.
    void raise(u64 page, u64 count) {
        if (count > m_holes[page].key) {
            m_holes.set_key(page, count);
        }
    }
    /// What begins in `page` no longer does: `hole`, before which nothing is taken in the page.
    void lower(u64 page, Run hole) {
        if (m_holes[page].key > hole.count) {
            return; // another is longer
        }
        if (page_of(hole.first + hole.count) > page) {
            m_holes.set_key(page, 0);
        } else {
            rekey(page);
        }
    }
    void flush_stale() {
        while (m_stale_count != 0) {
            refresh(m_stale[--m_stale_count]);
        }
    }
    u64 find(u64 length) {
        flush_stale();
        return m_holes.find(length);
    }
    void rekey(u64 page) { m_holes.set_key(page, longest(page)); }

    template<class Visitor>
    void for_each_hole(u64 page, Visitor const& visit) const;
    u64 longest(u64 page) const {
        u64 length = 0;
        for_each_hole(page, [&length](Run hole) {
            length = std::max(length, hole.count);
            return true;
        });
        return length;
    }
    /// The shortest hole of `page` that has `length` granules.
    Fit tightest(u64 page, u64 length) const {
        u64 const key = m_holes[page].key;
        Fit fit{{0, none}, 0};
        for_each_hole(page, [&fit, length, key](Run hole) {
            u64 other = hole.count;
            if (hole.count >= length && hole.count < fit.hole.count) {
                other = fit.hole.count == none ? 0 : fit.hole.count;
                fit.hole = hole;
            }
            fit.other = std::max(fit.other, other);
            return fit.hole.count != length || key == length;
        });
        CHECK(fit.hole.count != none);
        fit.other = fit.hole.count < key ? key : fit.other;
        return fit;
    }
    Fit fit_of(Run hole) const {
        u64 const page = page_of(hole.first);
        Fit fit{hole, m_holes[page].key};
        if (hole.count == fit.other) {
            fit.other = 0;
            for_each_hole(page, [&fit](Run one) {
                fit.other = std::max(fit.other, one.first == fit.hole.first ? 0 : one.count);
                return true;
            });
        }
        return fit;
    }
    bool page_is_free(u64 page) const {
        u64 const word = page * (page_granules / 64);
        return (m_taken.word(word) | m_taken.word(word + 1) | m_taken.word(word + 2) |
                m_taken.word(word + 3)) == 0;
    }

    Backing& m_backing;
    Layout const& m_layout;
    BitTree m_taken; ///< a bit a granule: lies in a block
    BitTree m_idle;  ///< a bit a page: committed, and no block lies on it
    HoleIndex m_holes;
    u64 m_top = 0;  ///< the block space has grown to here, in granules; whole pages
    u64 m_used = 0; ///< granules taken
    std::array<u64, Layout::tables_max> m_table_committed{};
    u64 m_committed_pages = 0;
    u64 m_idle_pages = 0;
    u64 m_commits = 0;
    u64 m_table_bytes = 0;
    std::array<u32, stale_max> m_stale{}; ///< pages of which the index does not know everything
    u32 m_stale_count = 0;
    u64 m_peak = 0;        ///< most granules in use in this window
    u64 m_peak_before = 0; ///< and in the one before
    u64 m_traffic = 0;     ///< granules given back in this window
};

/// Calls visit(Run) for each hole that begins in `page`, in order, until it answers false.
template<HeapBacking Backing>
template<class Visitor>
void Space<Backing>::for_each_hole(u64 page, Visitor const& visit) const {
    u64 const begin = page * page_granules;
    u64 before = begin == 0 || m_taken.test(begin - 1) ? 1 : 0; // 0: a hole comes in from before
    u64 start = none;
    for (u64 at = begin; at < begin + page_granules; at += 64) {
        u64 const taken = m_taken.word(at / 64);
        u64 edges = taken ^ (taken << 1 | before); // where a run of ones or zeros begins
        before = taken >> 63;
        for (; edges != 0; edges &= edges - 1) {
            u64 const bit = static_cast<u64>(std::countr_zero(edges));
            if ((taken >> bit & 1) == 0) {
                start = at + bit;
            } else if (start != none) {
                if (!visit(Run{start, at + bit - start})) {
                    return;
                }
                start = none;
            }
        }
    }
    if (start != none) {
        visit(Run{start, next_taken(begin + page_granules) - start});
    }
}

/// Marks `run`, a part of the hole of `fit`, as taken. Errors: out_of_memory, if a page cannot be
/// committed.
template<HeapBacking Backing>
Result<void> Space<Backing>::occupy(Fit const& fit, Run run) {
    u64 const end = run.first + run.count;
    u64 const last = page_of(end - 1);
    Result<void> accessible = make_accessible(page_of(run.first), last);
    if (!accessible && m_idle_pages != 0) { // idle pages elsewhere may be what is missing
        trim(0);
        accessible = make_accessible(page_of(run.first), last);
    }
    TRY(accessible);
    for (u64 page = page_of(run.first); page <= last; ++page) {
        if (m_holes[page].idle != 0) {
            m_holes[page].idle = 0;
            m_idle.clear(page, 1);
            --m_idle_pages;
        }
    }
    m_taken.set(run.first, run.count);
    m_used += run.count;
    u64 const page = page_of(fit.hole.first);
    u64 const right = fit.hole.first + fit.hole.count - end; // is left of the hole
    u64 key = std::max(fit.other, run.first - fit.hole.first);
    if (right != 0 && page_of(end) == page) {
        key = std::max(key, right);
    } else if (right != 0) {
        raise(page_of(end), right);
    }
    m_holes.set_key(page, key);
    return {};
}

/// Runs of `page` were given back: brings the index up to date for all holes that they are part of.
template<HeapBacking Backing>
void Space<Backing>::refresh(u64 page) {
    u64 const begin = page * page_granules;
    u64 const end = begin + page_granules;
    m_holes[page].stale = 0;
    rekey(page);
    if (page_is_free(page)) {
        note_idle(page);
    }
    if (!m_taken.test(begin)) {
        if (u64 const start = hole_start(begin); start != begin) {
            raise(page_of(start), next_taken(begin) - start);
        }
    }
    if (end < m_top && !m_taken.test(end - 1) && !m_taken.test(end)) {
        lower(page + 1, {end, next_taken(end) - end});
    }
}

template<HeapBacking Backing>
bool Space<Backing>::is_consistent() const {
    u64 const pages = page_of(m_top);
    u64 used = 0;
    u64 committed = 0;
    u64 idle = 0;
    for (u64 page = 0; page < pages; ++page) {
        PageEntry const& entry = m_holes[page];
        for (u64 word = 0; word < page_granules / 64; ++word) {
            used += static_cast<u64>(std::popcount(m_taken.word(page * page_granules / 64 + word)));
        }
        committed += entry.committed;
        idle += entry.idle;
        bool const free = page_is_free(page);
        bool const good = entry.key == longest(page) && m_idle.test(page) == (entry.idle != 0) &&
                          (entry.idle != 0) == (free && entry.committed != 0) &&
                          (free || entry.committed != 0);
        if (!good) {
            return false;
        }
    }
    return used == m_used && committed == m_committed_pages && idle == m_idle_pages &&
           m_stale_count == 0 && m_holes.is_consistent(pages) &&
           m_taken.is_consistent(m_top / 64) && m_idle.is_consistent((pages + 63) / 64);
}

} // namespace twofold::memory::heap
