// Pager: what keys do to the place, and how the screen is filled.
#include "apps/shell/pager.hpp"

#include "apps/shell/sequences.hpp"

namespace twofold::shell {

namespace {

constexpr std::string_view select_alternate = "\x1B[?1049h\x1B[H\x1B[2J";
constexpr std::string_view select_primary = "\x1B[?1049l";
constexpr std::string_view inverse_sequence = "\x1B[7m";
constexpr Style style_inverse = style_escapes + inverse_sequence.size();
constexpr std::string_view not_found = "not found";
constexpr std::string_view no_memory_to_draw = "out of memory\r\n";
constexpr u32 ctrl_c = 3;
constexpr u32 ctrl_g = 7;

} // namespace

Pager::Pager(AnyAllocator& allocator, Output const& output, text::ScreenSize size)
    : m_size(size),
      m_painter(allocator, output),
      m_text(allocator),
      m_ends(allocator),
      m_frame(allocator) {
    CHECK(size.columns > 0 && size.rows > 0);
}

Result<void> Pager::add(std::string_view text) {
    if (text.size() > text_bytes_max - m_text.size()) {
        return Error::no_space;
    }
    usize const before = m_text.size();
    TRY(m_text.append(text));
    for (usize i = 0; i < text.size(); ++i) {
        if (text[i] != '\n') {
            continue;
        }
        auto const end = static_cast<u32>(before + i + 1);
        if (Result<void> const added = m_ends.push(end); !added) {
            m_text.cut(m_ends.empty() ? 0 : std::max<usize>(m_ends.back(), before));
            return added;
        }
    }
    return {};
}

std::string_view Pager::line(usize index) const {
    CHECK(index < lines());
    usize const begin = index == 0 ? 0 : m_ends[index - 1];
    usize const end = index < m_ends.size() ? m_ends[index] - 1 : m_text.size();
    return slice(m_text, begin, end - begin);
}

bool Pager::fits() const {
    if (lines() > text_rows()) {
        return false;
    }
    for (usize i = 0; i < lines(); ++i) {
        if (cells_of(line(i)) > m_size.columns) {
            return false;
        }
    }
    return true;
}

void Pager::begin() {
    m_painter.send(select_alternate);
    m_painter.forget();
}

Pager::Action Pager::take(u8 byte) {
    for (Key const& key : m_keys.take(byte)) {
        if (take_key(key) == Action::quit) {
            end();
            return Action::quit;
        }
    }
    return Action::none;
}

void Pager::end() {
    m_painter.send(select_primary);
    m_painter.forget();
}

Pager::Action Pager::take_key(Key const& key) {
    m_notice = {};
    if (m_prompt == Prompt::query) {
        take_query(key);
        return Action::none;
    }
    usize const half_screen = std::max(m_size.columns / 2, 1u);
    switch (key.kind) {
    case Key::Kind::letter:
        return take_letter(key.point);
    case Key::Kind::control:
        if (key.point == '\r' || key.point == '\n') {
            move_down(1);
        }
        return key.point == ctrl_c ? Action::quit : Action::none;
    case Key::Kind::up:
        move_up(1);
        break;
    case Key::Kind::down:
        move_down(1);
        break;
    case Key::Kind::left:
        m_left -= std::min(half_screen, m_left);
        break;
    case Key::Kind::right:
        m_left += m_left < text_bytes_max ? half_screen : 0;
        break;
    case Key::Kind::page_up:
        move_up(text_rows());
        break;
    case Key::Kind::page_down:
        move_down(text_rows());
        break;
    case Key::Kind::home:
        move_to(0);
        break;
    case Key::Kind::end:
        move_to(top_max());
        break;
    default:
        break;
    }
    return Action::none;
}

Pager::Action Pager::take_letter(text::CodePoint letter) {
    switch (letter) {
    case 'q':
        return Action::quit;
    case ' ':
    case 'f':
        move_down(text_rows());
        break;
    case 'b':
        move_up(text_rows());
        break;
    case 'd':
        move_down(std::max(text_rows() / 2, 1u));
        break;
    case 'u':
        move_up(std::max(text_rows() / 2, 1u));
        break;
    case 'j':
        move_down(1);
        break;
    case 'k':
        move_up(1);
        break;
    case 'g':
        move_to(0);
        break;
    case 'G':
        move_to(top_max());
        break;
    case '/':
        m_prompt = Prompt::query;
        m_typed.clear();
        break;
    case 'n':
        find_next(m_top + 1);
        break;
    case 'N':
        find_previous();
        break;
    default:
        break;
    }
    return Action::none;
}

/// An empty query repeats the last one.
void Pager::take_query(Key const& key) {
    bool const is_control_key = key.kind == Key::Kind::control;
    if (key.kind == Key::Kind::letter && !is_control(key.point)) {
        if (!m_typed.append(text::encode_utf8(key.point).view())) {
            m_painter.send(bell);
        }
    } else if (is_control_key && (key.point == '\r' || key.point == '\n')) {
        m_prompt = Prompt::none;
        m_query = m_typed.empty() ? m_query : m_typed;
        find_next(m_typed.empty() ? m_top + 1 : m_top);
    } else if (is_control_key && (key.point == 8 || key.point == 0x7F)) {
        m_prompt = m_typed.empty() ? Prompt::none : Prompt::query;
        usize const end = m_typed.empty() ? 0 : previous_cluster(m_typed, m_typed.size());
        while (m_typed.size() > end) {
            m_typed.pop_back();
        }
    } else if (is_control_key && (key.point == ctrl_c || key.point == ctrl_g)) {
        m_prompt = Prompt::none;
    }
}

void Pager::move_to(usize line) {
    m_top = std::min(line, top_max());
}

/// Shows the first line from `from` on that holds the query; as far up as the text reaches.
void Pager::find_next(usize from) {
    for (usize i = from; i < lines() && !m_query.empty(); ++i) {
        if (matches(i)) {
            return move_to(i);
        }
    }
    m_notice = not_found;
}

void Pager::find_previous() {
    for (usize i = m_top; i-- > 0 && !m_query.empty();) {
        if (matches(i)) {
            return move_to(i);
        }
    }
    m_notice = not_found;
}

void Pager::resize(text::ScreenSize size) {
    CHECK(size.columns > 0 && size.rows > 0);
    m_size = size;
    m_painter.clear_screen();
    move_to(m_top);
}

void Pager::refresh() {
    if (!compose()) {
        m_painter.clear_screen();
        m_painter.send(no_memory_to_draw);
        m_is_lost = true;
        return;
    }
    if (m_is_lost) {
        m_painter.clear_screen();
        m_is_lost = false;
    }
    m_painter.paint(m_frame, inverse_sequence, m_size.columns);
}

Result<void> Pager::compose() {
    m_frame.clear();
    bool const has_status = m_size.rows > 1 || m_prompt != Prompt::none || !m_notice.empty();
    u32 const rows = m_size.rows - (has_status ? 1 : 0);
    for (u32 row = 0; row < rows; ++row) {
        TRY(m_frame.extend(row + 1));
        if (m_top + row < lines()) {
            TRY(put_row(row, line(m_top + row), {m_left, style_plain, m_query.view()}));
        }
    }
    TRY(m_frame.extend(m_size.rows));
    if (has_status) {
        TRY(put_status(rows));
    }
    u32 const end = std::min(m_frame.end_of_row(m_size.rows - 1), m_size.columns - 1);
    m_frame.set_cursor(m_size.rows - 1, end);
    return {};
}

/// A text from a cell on. Wide characters that are cut are blank.
Result<void> Pager::put_row(u32 row, std::string_view text, RowLook const& look) {
    usize const right = look.left + m_size.columns;
    usize cells = 0;
    usize found_end = 0;
    for (usize at = 0; at < text.size() && cells < right;) {
        bool const begins =
            !look.found.empty() && slice(text, at, text.size() - at).starts_with(look.found);
        found_end = begins ? at + look.found.size() : found_end;
        Style const style = at < found_end ? style_inverse : look.style;
        usize const end = next_cluster(text, at);
        ShownCluster const shown = show_cluster(slice(text, at, end - at), m_size.columns);
        for (ShownGlyph const& glyph : shown.items()) {
            bool const is_whole = cells >= look.left && cells + glyph.width <= right;
            u32 const step = is_whole ? glyph.width : 1u;
            for (usize cell = cells; cell < cells + glyph.width; cell += step) {
                if (cell >= look.left && cell < right) {
                    auto const column = static_cast<u32>(cell - look.left);
                    TRY(m_frame.add(row, column, is_whole ? glyph.view() : " ", step, style));
                }
            }
            cells += glyph.width;
        }
        at = end;
    }
    return {};
}

Result<void> Pager::put_status(u32 row) {
    char status[query_bytes_max + 64];
    if (m_prompt == Prompt::query) {
        std::string_view const query = format_to(std::span(status), "/{}", m_typed.view()).text;
        usize const cells = cells_of(query) + 1; // the cursor's
        return put_row(
            row, query, {cells - std::min<usize>(cells, m_size.columns), style_plain, {}});
    }
    if (!m_notice.empty()) {
        return put_row(row, m_notice, {0, style_inverse, {}});
    }
    std::string_view const text =
        format_to(
            std::span(status), "lines {}-{} of {}  (q: quit, /: search)",
            std::min(m_top + 1, lines()), std::min<usize>(m_top + text_rows(), lines()), lines())
            .text;
    return put_row(row, text, {0, style_inverse, {}});
}

} // namespace twofold::shell
