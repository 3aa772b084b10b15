// Where a heap keeps what in its range:
//
//     | heap object, caches | tables ... | guard page | blocks ... | guard page
//
// Nothing that the heap steers by lies among the blocks, and a page that is never committed lies
// between: an overflow of a block reaches other blocks and then a fault. Tables are sized for the
// whole range and committed as far as the blocks have grown.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/bit_tree.hpp"
#include "core/memory/heap/geometry.hpp"
#include "core/memory/heap/hole_index.hpp"

#include <array>

namespace twofold::memory::heap {

/// One table: `element_bytes` for every `covers` granules of block space.
struct TablePlan {
    u64 offset = 0; ///< from the range's base
    u64 bytes = 0;  ///< when the blocks have grown to the end; whole pages
    u64 element_bytes = 1;
    u64 covers = 1;

    /// How many bytes must be committed when blocks lie below granule `end`. One element more than
    /// they take, because a search reads the word behind.
    u64 bytes_for(u64 end) const {
        u64 const elements = (end + covers - 1) / covers + 1;
        u64 const wanted = align_up(elements * element_bytes, page_size.value);
        return wanted < bytes ? wanted : bytes;
    }
};

struct Layout {
    static constexpr usize tables_max = 3 + 2 * BitTree::levels_max;

    std::array<TablePlan, tables_max> tables{};
    usize table_count = 0;
    u64 blocks_offset = 0;  ///< from the range's base
    u64 granules = 0;       ///< how many the block space may grow to; whole pages
    usize block_map = 0;    ///< indices into `tables`
    usize page_entries = 0; ///< likewise
    usize taken_levels = 0; ///< the first of the tree of granules that are taken
    usize idle_levels = 0;  ///< the first of the tree of idle pages

    /// Plans a range of `size` bytes whose first `front` bytes (whole pages) are spoken for.
    /// Errors: invalid_argument, where nothing would be left for blocks.
    static Result<Layout> plan(u64 size, u64 front) {
        size = align_down(size, page_size.value);
        u64 const fixed = front + 2 * page_size.value + tables_max * page_size.value;
        if (size < fixed + 2 * page_size.value) {
            return Error::invalid_argument;
        }
        // Tables take a little under a twentieth of the blocks; what rounding leaves is not used.
        u64 pages = (size - fixed) / (page_size.value + page_size.value / 20);
        pages = pages < granules_max / page_granules ? pages : granules_max / page_granules;
        if (pages == 0) {
            return Error::invalid_argument;
        }
        Layout layout;
        layout.granules = pages * page_granules;
        u64 at = front;
        layout.block_map = layout.add(at, 1, window_granules);
        layout.page_entries = layout.add(at, sizeof(PageEntry), page_granules);
        layout.taken_levels = layout.add_tree(at, 1);
        layout.idle_levels = layout.add_tree(at, page_granules);
        layout.blocks_offset = at + page_size.value;
        if (layout.blocks_offset + pages * page_size.value + page_size.value > size) {
            return Error::invalid_argument;
        }
        return layout;
    }

private:
    usize add(u64& at, u64 element_bytes, u64 covers) {
        u64 const elements = (granules + covers - 1) / covers;
        u64 const bytes = align_up(elements * element_bytes, page_size.value);
        tables[table_count] = {at, bytes, element_bytes, covers};
        at += bytes;
        return table_count++;
    }
    usize add_tree(u64& at, u64 bit_covers) {
        usize const first = table_count;
        unsigned const levels = BitTree::level_count(granules / bit_covers);
        u64 covers = bit_covers;
        for (unsigned level = 0; level < levels; ++level) {
            covers *= 64;
            add(at, sizeof(u64), covers);
        }
        return first;
    }
};

} // namespace twofold::memory::heap
