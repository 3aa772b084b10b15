// See page_tables.hpp.
#include "hal/hosted/firmware/page_tables.hpp"

namespace hosted::firmware {

using isa::PageEntry;

u64& PageTables::entry(u64 table, u64 address, unsigned level) {
    // Sound: tables come from the frame source, so they lie inside memory and are page-aligned.
    auto* const words = reinterpret_cast<u64*>(m_frames.memory().base + table);
    return words[PageEntry::index({address}, level)];
}

void PageTables::map_leaf(u64 address, u64 frame, unsigned leaf_level) {
    u64 table = m_root;
    for (unsigned level = PageEntry::levels - 1; level > leaf_level; --level) {
        u64& word = entry(table, address, level);
        if (!PageEntry::is_present(word)) {
            word = PageEntry::encode_table({m_frames.take(page_size.value)});
        }
        CHECK(!PageEntry::is_leaf(word, level));
        table = PageEntry::decode_table(word).value;
    }
    u64& leaf = entry(table, address, leaf_level);
    CHECK(!PageEntry::is_present(leaf));
    leaf = PageEntry::encode_leaf(
        {.frame = {frame},
         .access = hal::Access::read | hal::Access::write,
         .cache = hal::CacheMode::write_back,
         .global = true},
        leaf_level);
}

void PageTables::map(u64 address, u64 frame, u64 size, unsigned level_max) {
    CHECK(((address | frame | size) & (page_size.value - 1)) == 0);
    u64 done = 0;
    while (done < size) {
        unsigned level = level_max;
        u64 span = PageEntry::span(level).value;
        while (level > 0 && (((address + done) | (frame + done)) & (span - 1)) != 0) {
            span = PageEntry::span(--level).value;
        }
        while (level > 0 && size - done < span) {
            span = PageEntry::span(--level).value;
        }
        map_leaf(address + done, frame + done, level);
        done += span;
    }
}

} // namespace hosted::firmware
