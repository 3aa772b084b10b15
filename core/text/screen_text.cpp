// The screen as text, for readers, tests and digests.
#include "core/text/screen.hpp"

namespace twofold::text {

namespace {

/// FNV-1a with 64 bits, a word at a time.
struct Digest {
    u64 value = 0xCBF2'9CE4'8422'2325;

    void add(u64 word) { value = (value ^ word) * 0x100'0000'01B3; }
};

} // namespace

std::string_view Screen::text_of(std::span<Cell const> cells, std::span<char> out) const {
    usize used = cells.size();
    while (used > 0 && (cells[used - 1].point() == 0 || cells[used - 1].point() == ' ') &&
           cells[used - 1].part() == CellPart::whole && cells[used - 1].mark(0) == 0) {
        --used;
    }
    TextBuffer text(out);
    for (Cell const& cell : cells.first(used)) {
        if (cell.part() == CellPart::tail) {
            continue;
        }
        text.append(encode_utf8(cell.point() == 0 ? ' ' : cell.point()).view());
        for (u32 i = 0; i < Cell::marks_max && cell.mark(i) != 0; ++i) {
            text.append(encode_utf8(cell.mark(i)).view());
        }
    }
    return text.view();
}

u64 Screen::digest() const {
    Digest digest;
    digest.add(u64{m_size.columns} << 32 | m_size.rows);
    for (u32 at = 0; at < m_size.rows; ++at) {
        for (Cell const& cell : row(at)) {
            digest.add(
                u64{cell.point()} << 16 | u64{static_cast<u8>(cell.attributes())} << 8 |
                static_cast<u8>(cell.part()));
            digest.add(u64{cell.foreground().bits} << 32 | cell.background().bits);
            digest.add(u64{cell.mark(0)} << 16 | cell.mark(1));
        }
    }
    digest.add(
        u64{m_cursor.row} << 32 | u64{m_cursor.column} << 3 |
        u64{static_cast<u8>(m_cursor_shape)} << 1 | (m_cursor_visible ? 1 : 0));
    return digest.value;
}

} // namespace twofold::text
