// See plots.hpp.
#include "apps/shell/plots.hpp"

#include <algorithm>

namespace twofold::shell {

namespace {

constexpr u32 eighths = 8;
/// By how many eighths they fill their cell, from the left and from below.
constexpr std::string_view left_blocks[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
constexpr std::string_view lower_blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

bool continues_character(char byte) {
    return (static_cast<u8>(byte) & 0xC0) == 0x80;
}

} // namespace

RowPen& RowPen::text(std::string_view utf8) {
    usize end = 0;
    while (end < utf8.size() && m_left > 0) {
        --m_left;
        ++end;
        while (end < utf8.size() && continues_character(utf8[end])) {
            ++end;
        }
    }
    m_out.write(utf8.substr(0, end));
    return *this;
}

RowPen& RowPen::field(std::string_view utf8, u32 columns) {
    RowPen part(m_out, std::min(columns, m_left));
    part.text(utf8).blanks(part.left());
    m_left -= std::min(columns, m_left);
    return *this;
}

RowPen& RowPen::blanks(u32 columns) {
    for (u32 i = 0; i < columns && m_left > 0; ++i) {
        text(" ");
    }
    return *this;
}

RowPen& RowPen::look(std::string_view numbers) {
    format_to(m_out, "\x1B[{}m", numbers);
    return *this;
}

RowPen& RowPen::bar(u64 part, u64 whole, u32 columns) {
    u64 const filled = whole == 0 ? 0 : std::min(part, whole) * columns * eighths / whole;
    for (u32 column = 0; column < columns; ++column) {
        u64 const before = u64{column} * eighths;
        text(left_blocks[filled <= before ? 0 : std::min<u64>(filled - before, eighths)]);
    }
    return *this;
}

RowPen& RowPen::column_plot(std::span<u16 const> values, u16 most, u32 row, u32 rows) {
    CHECK(row < rows && most > 0);
    u32 const below = (rows - 1 - row) * eighths;
    for (u16 const value : values) {
        u32 const height = u32{std::min(value, most)} * rows * eighths / most;
        text(lower_blocks[height <= below ? 0 : std::min(height - below, eighths)]);
    }
    return *this;
}

void RowPen::end() {
    end_last();
    m_out.write("\r\n");
}

void RowPen::end_last() {
    // Behind a full row the cursor stands on its last cell, which erasing would take.
    m_out.write(m_left > 0 ? "\x1B[0m\x1B[K" : "\x1B[0m");
}

} // namespace twofold::shell
