// Frame: the layout. Clusters flow into rows; a first pass finds the places, a second one fills the
// window that is shown.
#include "apps/shell/frame.hpp"

#include "apps/shell/glyphs.hpp"
#include "apps/shell/sequences.hpp"

namespace twofold::shell {

namespace {

/// How long the escape sequence at `at` is: a control sequence, a command up to BEL or ST, or two
/// bytes.
usize escape_length(std::string_view text, usize at) {
    usize end = at + 1;
    if (end == text.size()) {
        return 1;
    }
    char const kind = text[end++];
    if (kind == '[') {
        while (end < text.size() && (text[end] < '@' || text[end] > '~')) {
            ++end;
        }
    } else if (kind == ']') {
        while (end < text.size() && text[end] != '\a' && text[end] != escape_byte) {
            ++end;
        }
        end += end + 1 < text.size() && text[end] == escape_byte ? 1 : 0;
    } else {
        return 2;
    }
    return std::min(end + 1, text.size()) - at;
}

/// Whether a sequence colours what follows; the others would move the cursor or worse.
bool is_rendition(std::string_view sequence) {
    return sequence.size() > 2 && sequence[1] == '[' && sequence.back() == 'm';
}

/// Puts glyphs one behind another into rows; those of a window go to a frame.
class Flow {
public:
    Flow(u32 columns, Frame* frame, u32 top, u32 end)
        : m_columns(columns), m_frame(frame), m_top(top), m_end(end) {}

    u32 row() const { return m_row; }

    /// Where a glyph of that width goes.
    text::Cursor place_for(u32 width) const {
        bool const fits = m_column + width <= m_columns;
        return fits ? text::Cursor{m_row, m_column} : text::Cursor{m_row + 1, 0};
    }
    void take_place(text::Cursor at, u32 width) {
        m_row = at.row;
        m_column = at.column + width;
    }
    void next_row() {
        take_place(place_for(1), 0); // a line feed takes a cell, so that a cursor can stand on it
        ++m_row;
        m_column = 0;
    }
    void begin_row(u32 row) { take_place({row, 0}, 0); }
    bool is_full_for(u32 width) const { return m_column + width > m_columns; }

    Result<void> put(ShownGlyph const& shown, Style style) {
        text::Cursor const at = place_for(shown.width);
        take_place(at, shown.width);
        if (m_frame != nullptr && at.row >= m_top && at.row < m_end) {
            TRY(m_frame->add(at.row - m_top, at.column, shown.view(), shown.width, style));
        }
        return {};
    }
    /// A cluster that is no line feed.
    Result<void> put_cluster(std::string_view cluster, Style style) {
        ShownCluster const shown = show_cluster(cluster, m_columns);
        for (ShownGlyph const& glyph : shown.items()) {
            TRY(put(glyph, style));
        }
        return {};
    }
    Result<void> put_prompt(std::string_view prompt, Style first) {
        Style style = first;
        for (usize at = 0; at < prompt.size();) {
            if (prompt[at] == escape_byte) {
                usize const length = escape_length(prompt, at);
                style = static_cast<Style>(
                    style + (is_rendition(slice(prompt, at, length)) ? length : 0));
                at += length;
                continue;
            }
            usize const end = next_cluster(prompt, at);
            if (prompt[at] == '\n') {
                next_row();
            } else {
                TRY(put_cluster(slice(prompt, at, end - at), style));
            }
            at = end;
        }
        return {};
    }
    u32 width_of_first(std::string_view text) const {
        return text.empty() || text[0] == '\n'
                   ? 1
                   : show_cluster(slice(text, 0, next_cluster(text, 0)), m_columns).glyphs[0].width;
    }

private:
    u32 m_columns;
    Frame* m_frame; ///< none: only the places are asked for
    u32 m_top;      ///< of the window, in rows
    u32 m_end;
    u32 m_row = 0;
    u32 m_column = 0;
};

/// The prompt and the line; the cursor's place.
Result<text::Cursor> put_line(Flow& flow, Scene const& scene) {
    TRY(flow.put_prompt(scene.prompt, style_escapes));
    text::Cursor cursor;
    for (usize at = 0; at < scene.line.size();) {
        if (at == scene.cursor) {
            std::string_view const rest = slice(scene.line, at, scene.line.size() - at);
            cursor = flow.place_for(flow.width_of_first(rest));
        }
        usize const end = next_cluster(scene.line, at);
        if (scene.line[at] == '\n') {
            flow.next_row();
            TRY(flow.put_prompt(scene.continuation, scene.continuation_style));
        } else {
            TRY(flow.put_cluster(slice(scene.line, at, end - at), style_plain));
        }
        at = end;
    }
    if (scene.cursor >= scene.line.size()) {
        cursor = flow.place_for(flow.width_of_first(scene.hint));
    }
    return cursor;
}

/// The hint as far as the screen reaches, or the cursor's row where that lies below.
Result<void> put_hint(Flow& flow, std::string_view hint, u32 rows_max) {
    for (usize at = 0; at < hint.size() && hint[at] != '\n';) {
        usize const end = next_cluster(hint, at);
        std::string_view const cluster = slice(hint, at, end - at);
        u32 const width =
            is_control(static_cast<u8>(cluster[0])) ? 2 : flow.width_of_first(cluster);
        if (flow.place_for(width).row >= rows_max) {
            break;
        }
        TRY(flow.put_cluster(cluster, style_hint));
        at = end;
    }
    return {};
}

/// Rows below the line, from `row` on.
Result<void> put_below(Flow& flow, std::string_view below, u32 row, u32 row_end) {
    flow.begin_row(row);
    bool is_cut = false;
    for (usize at = 0; at < below.size() && row < row_end;) {
        usize const end = next_cluster(below, at);
        std::string_view const cluster = slice(below, at, end - at);
        if (cluster[0] == '\n') {
            flow.begin_row(++row);
            is_cut = false;
        } else if (is_cut || flow.is_full_for(flow.width_of_first(cluster))) {
            is_cut = true;
        } else {
            TRY(flow.put_cluster(cluster, style_plain));
        }
        at = end;
    }
    return {};
}

u32 rows_of(std::string_view below) {
    auto const feeds = static_cast<u32>(std::count(below.begin(), below.end(), '\n'));
    return below.empty() ? 0 : feeds + 1;
}

/// Moves a window of `height` rows as little as shows the cursor.
u32 window_top(u32 top, u32 cursor_row, u32 height, u32 rows) {
    top = std::min(top, rows - height);
    top = std::min(top, cursor_row);
    return cursor_row >= top + height ? cursor_row - height + 1 : top;
}

} // namespace

void Frame::clear() {
    m_glyphs.clear();
    m_row_ends.clear();
    m_bytes.clear();
    m_cursor = {};
}

Result<void> Frame::add(u32 row, u32 column, std::string_view bytes, u32 width, Style style) {
    CHECK(bytes.size() <= ShownGlyph::bytes_max && row + 1 >= rows());
    TRY(extend(row + 1));
    auto const offset = static_cast<u32>(m_bytes.size());
    TRY(m_bytes.append(bytes));
    TRY(m_glyphs.push(
        {offset, static_cast<u16>(column), style, static_cast<u8>(bytes.size()),
         static_cast<u8>(width)}));
    ++m_row_ends.back();
    return {};
}

Result<void> Frame::extend(u32 rows_wanted) {
    while (rows() < rows_wanted) {
        TRY(m_row_ends.push(static_cast<u32>(m_glyphs.size())));
    }
    return {};
}

Result<void> collect_escapes(
    std::string_view prompt,
    std::string_view continuation,
    Letters& escapes,
    Style& continuation_style) {
    escapes.clear();
    for (std::string_view const text : {prompt, continuation}) {
        continuation_style = static_cast<Style>(style_escapes + escapes.size());
        for (usize at = 0; at < text.size();) {
            usize const length = text[at] == escape_byte ? escape_length(text, at) : 1;
            std::string_view const sequence = slice(text, at, length);
            TRY(escapes.append(is_rendition(sequence) ? sequence : std::string_view()));
            at += length;
        }
        if (text.data() == prompt.data()) {
            TRY(escapes.append(plain_sequence));
        }
    }
    return {};
}

Result<void> compose(Scene const& scene, text::ScreenSize size, u32& top, Frame& frame) {
    CHECK(size.columns > 0 && size.rows > 0);
    Flow measured(size.columns, nullptr, 0, 0);
    text::Cursor const cursor = TRY(put_line(measured, scene));
    u32 const hint_end = std::max(size.rows, cursor.row + 1);
    TRY(put_hint(measured, scene.hint, hint_end));
    u32 const line_rows = std::max(measured.row(), cursor.row) + 1;
    // Rows below get what the line leaves, and half of the screen where it leaves less.
    u32 const left = size.rows - std::min(line_rows, size.rows);
    u32 const below = std::min(rows_of(scene.below), std::max(left, size.rows / 2));
    u32 const height = std::min(line_rows, size.rows - below);
    top = window_top(top, cursor.row, height, line_rows);

    frame.clear();
    Flow flow(size.columns, &frame, top, top + height);
    TRY(put_line(flow, scene));
    TRY(put_hint(flow, scene.hint, hint_end));
    TRY(frame.extend(height));
    Flow under(size.columns, &frame, 0, height + below);
    TRY(put_below(under, scene.below, height, height + below));
    TRY(frame.extend(height + below));
    frame.set_cursor(cursor.row - top, cursor.column);
    return {};
}

} // namespace twofold::shell
