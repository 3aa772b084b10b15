// The first page tables. See tables.hpp.
#include "hal/x86_64/stub/tables.hpp"
#include "hal/x86_64/stub/stub.hpp"
#include "isa/page_entry.hpp"

using isa::PageEntry;
using namespace twofold;

extern "C" u64 identity_root[PageEntry::entries]; // stub/entry.S

namespace metal {

PhysAddr BootArea::take(Bytes size, Bytes alignment) {
    PhysAddr const at = align_up(m_next, alignment);
    if (at > m_end || m_end - at < size) {
        give_up("there is not enough memory");
    }
    m_next = at + size;
    return at;
}

void BootArea::rewind(PhysAddr address) {
    CHECK(address >= m_start && address <= m_next);
    m_next = address;
}

PhysicalRange BootArea::used() const {
    return {m_start, align_up(m_next, page_size) - m_start};
}

TableBuilder::TableBuilder(BootArea& area, unsigned highest_leaf)
    : m_area(area), m_highest_leaf(highest_leaf), m_root(new_table()) {}

PhysAddr TableBuilder::new_table() {
    PhysAddr const table = m_area.take(page_size, page_size);
    clear(identity(table), page_size.value);
    return table;
}

void TableBuilder::map(VirtAddr address, PhysAddr frame, Bytes size, hal::Access access) {
    CHECK(is_aligned(address, page_size) && is_aligned(frame, page_size));
    CHECK(is_aligned(size.value, page_size.value) && PageEntry::is_canonical(address));
    fill(m_root, PageEntry::levels - 1, {address, frame, size, access});
}

// Recurses once a level: at most three deep.
void TableBuilder::fill(PhysAddr table, unsigned level, Stretch stretch) {
    // Sound: `table` is one of ours, and the identity mapping shows it.
    auto* const entries = reinterpret_cast<u64*>(identity(table));
    Bytes const span = PageEntry::span(level);
    while (stretch.size.value != 0) {
        u64 const to_end = span.value - stretch.address.value % span.value;
        Bytes const part{stretch.size.value < to_end ? stretch.size.value : to_end};
        u64& entry = entries[PageEntry::index(stretch.address, level)];
        bool const is_whole = part == span && is_aligned(stretch.frame, span);
        if (is_whole && level <= m_highest_leaf && !PageEntry::is_present(entry)) {
            entry = PageEntry::encode_leaf(
                {stretch.frame, stretch.access, hal::CacheMode::write_back, true}, level);
        } else if (!PageEntry::is_leaf(entry, level)) {
            if (!PageEntry::is_present(entry)) {
                entry = PageEntry::encode_table(new_table());
            }
            fill(
                PageEntry::decode_table(entry), level - 1,
                {stretch.address, stretch.frame, part, stretch.access});
        }
        stretch.address += part;
        stretch.frame += part;
        stretch.size = stretch.size - part;
    }
}

void share_upper_half(PhysAddr root) {
    // Sound: as above.
    auto const* const entries = reinterpret_cast<u64 const*>(identity(root));
    for (unsigned index = PageEntry::entries / 2; index < PageEntry::entries; ++index) {
        identity_root[index] = entries[index];
    }
}

} // namespace metal
