// See panic_screen.hpp.
#include "core/device/console/panic_screen.hpp"

#include <algorithm>

namespace twofold::device {

namespace {

/// Calls visit(row) for each row of `text`, at most `columns` letters long.
template<class Visit>
void for_each_row(std::string_view text, u32 columns, Visit const& visit) {
    while (!text.empty()) {
        usize const end = std::min(text.find('\n'), text.size());
        usize const length = std::min(end, usize{columns});
        visit(text.substr(0, length));
        text.remove_prefix(length < end ? length : std::min(end + 1, text.size()));
    }
}

u32 count_rows(std::string_view text, u32 columns) {
    u32 rows = 0;
    for_each_row(text, columns, [&rows](std::string_view) { ++rows; });
    return rows;
}

/// The most rows of a report's end that are seen of one that is too long.
constexpr u32 last_rows_max = 4;

} // namespace

void PanicScreen::note(std::string_view text) {
    for (char const letter : text) {
        if (letter == '\n' && m_text.empty()) {
            continue;
        }
        bool const is_shown = (letter >= ' ' && letter <= '~') || letter == '\n';
        if (!m_text.append(is_shown ? letter : '?')) {
            return;
        }
    }
}

Result<void> PanicScreen::show() {
    TRY(m_outlet.begin_report());
    text::ScreenSize const size = m_outlet.cells();
    u32 const rows = count_rows(m_text.view(), size.columns);
    if (rows <= size.rows) {
        show_part(0, rows, 0);
        return m_outlet.show_report();
    }
    u32 const last = std::min(last_rows_max, (size.rows - 1) / 4);
    u32 const first = size.rows - 1 - last;
    show_part(0, first, 0);
    char text[64];
    m_outlet.draw_report(
        first,
        format_to(std::span(text), "... {} rows more, on the console", rows - first - last).text);
    show_part(rows - last, rows, first + 1);
    return m_outlet.show_report();
}

/// Rows `from` to `to` of the text, from row `at` of the outlet on.
void PanicScreen::show_part(u32 from, u32 to, u32 at) {
    u32 row = 0;
    for_each_row(m_text.view(), m_outlet.cells().columns, [&](std::string_view line) {
        if (row >= from && row < to) {
            m_outlet.draw_report(at + row - from, line);
        }
        ++row;
    });
}

} // namespace twofold::device
