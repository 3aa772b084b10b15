// Plots made of characters: bars and columns in eighths of a cell, for screens of any size. Every
// row is cut at the right edge. Pure.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace twofold::shell {

/// Writes one row of a screen: what does not fit in its width is left out. Text is of characters
/// that are one cell wide.
class RowPen {
public:
    RowPen(Output const& out, u32 columns) : m_out(out), m_left(columns) {}

    u32 left() const { return m_left; }
    /// UTF-8 without control characters. O(text).
    RowPen& text(std::string_view utf8);
    template<class... Arguments>
    RowPen&
    format(FormatString<std::type_identity_t<Arguments>...> format, Arguments const&... arguments) {
        char letters[256];
        return text(format_to(std::span(letters), format, arguments...).text);
    }
    /// The same, filled with blanks or cut to `columns`.
    RowPen& field(std::string_view utf8, u32 columns);
    RowPen& blanks(u32 columns);
    /// Numbers of an SGR sequence, "1;31"; "0" for none. Takes no column.
    RowPen& look(std::string_view numbers);
    /// `part` of `whole` as a bar of `columns` cells, in eighths.
    RowPen& bar(u64 part, u64 whole, u32 columns);
    /// Row `row` (0: the top) of a plot that is `rows` high: a column for each value, in eighths of
    /// a cell; values above `most` reach the top.
    RowPen& column_plot(std::span<u16 const> values, u16 most, u32 row, u32 rows);
    /// Looks end, the rest of the row is erased, and the next row begins.
    void end();
    /// The same for the last row of a screen: the cursor stays.
    void end_last();

private:
    Output const& m_out;
    u32 m_left;
};

} // namespace twofold::shell
