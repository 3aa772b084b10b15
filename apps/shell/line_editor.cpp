// LineEditor: what keys do to the line, and what of it is shown.
#include "apps/shell/line_editor.hpp"

#include "apps/shell/clusters.hpp"
#include "apps/shell/sequences.hpp"

namespace twofold::shell {

namespace {

constexpr std::string_view too_long = "the line is longer than 65536 bytes; nothing of it was run";
static_assert(line_bytes_max == 65'536, "the text above says so");
constexpr std::string_view would_be_too_long = "the line would be longer than 65536 bytes";
constexpr std::string_view no_memory = "out of memory";

} // namespace

LineEditor::LineEditor(
    AnyAllocator& allocator,
    Output const& output,
    text::ScreenSize size,
    History& history,
    Completer& completer)
    : m_allocator(&allocator),
      m_painter(allocator, output),
      m_size(size),
      m_history(&history),
      m_completer(&completer),
      m_line(allocator),
      m_prompt(allocator),
      m_continuation(allocator),
      m_escapes(allocator),
      m_cluster(allocator),
      m_typed(allocator),
      m_query(allocator),
      m_candidates(allocator),
      m_below(allocator),
      m_shown_prompt(allocator),
      m_frame(allocator) {
    CHECK(size.columns > 0 && size.rows > 0);
}

void LineEditor::begin(std::string_view prompt, std::string_view continuation) {
    auto const cut = [](std::string_view text) {
        usize end = std::min(text.size(), prompt_bytes_max);
        while (end < text.size() && end > 0 && !starts_code_point(text[end])) {
            --end;
        }
        return slice(text, 0, end);
    };
    m_line.clear();
    m_walks = false;
    m_search = {};
    m_lists = false;
    m_last = Last::other;
    m_swallows = false;
    m_notice = {};
    m_top = 0;
    m_began = true;
    m_painter.forget();
    m_painter.send(begin_bracketed_paste);
    Result<void> set = m_prompt.assign(cut(prompt));
    set = set ? m_continuation.assign(cut(continuation)) : set;
    set = set ? collect_escapes(m_prompt, m_continuation, m_escapes, m_continuation_style) : set;
    if (!set) { // a line can be edited without a prompt
        m_prompt.clear();
        m_continuation.clear();
        m_escapes.clear();
        note(set);
    }
}

Action LineEditor::take(u8 byte) {
    CHECK(m_began);
    for (Key const& key : m_keys.take(byte)) {
        if (Action const action = take_key(key); action != Action::none) {
            return action;
        }
    }
    return Action::none;
}

Action LineEditor::take_key(Key const& key) {
    if (m_swallows && take_swallowed(key)) {
        return Action::none;
    }
    m_notice = {};
    m_now = Last::other;
    bool const is_tab = key.kind == Key::Kind::control && key.point == '\t';
    m_lists = m_lists && is_tab;
    Action action = Action::none;
    if (m_search.runs && take_search(key)) {
        return action;
    }
    if (key.kind == Key::Kind::letter) {
        take_letter(key);
    } else if (key.kind == Key::Kind::control) {
        action = take_control(static_cast<u8>(key.point));
    } else if (key.kind == Key::Kind::alt) {
        take_alt(static_cast<u8>(key.point));
    } else {
        take_motion(key);
    }
    m_last = m_now;
    return action;
}

/// The rest of a line that is too long, up to its end.
bool LineEditor::take_swallowed(Key const& key) {
    bool const is_control = key.kind == Key::Kind::control;
    if (is_control && key.point == 3) {
        m_swallows = false;
        return false;
    }
    if (is_control && (key.point == '\r' || key.point == '\n')) {
        m_swallows = false;
        m_line.clear();
        m_painter.leave();
        m_painter.print_row(too_long);
        m_top = 0;
    }
    return true;
}

void LineEditor::take_letter(Key const& key) {
    m_cluster.clear();
    Result<void> taken = m_cluster.append(text::encode_utf8(key.point).view());
    taken = taken ? m_line.type(m_cluster) : taken;
    m_swallows = !taken && taken.error() == Error::no_space;
    if (!m_swallows) {
        note(taken);
    }
}

/// Says why a key did nothing.
void LineEditor::note(Result<void> const& result) {
    if (!result) {
        m_notice = result.error() == Error::no_space ? would_be_too_long : no_memory;
        m_painter.send(bell);
    }
}

Action LineEditor::take_control(u8 control) {
    switch (control) {
    case 3: // ctrl-C
        m_line.move_to(m_line.size());
        return finish(Action::interrupt);
    case 4: // ctrl-D
        if (m_line.size() == 0) {
            return finish(Action::end);
        }
        note(m_line.erase(m_line.cursor(), m_line.right_of_cursor()));
        return Action::none;
    case '\n':
    case '\r':
        return take_enter();
    case '\t':
        complete();
        return Action::none;
    case 12: // ctrl-L
        m_painter.clear_screen();
        return Action::none;
    case 14: // ctrl-N
        walk_down();
        return Action::none;
    case 16: // ctrl-P
        walk_up();
        return Action::none;
    case 18: // ctrl-R
        begin_search();
        return Action::none;
    default:
        note(edit_control(control));
        return Action::none;
    }
}

Result<void> LineEditor::edit_control(u8 control) {
    switch (control) {
    case 1: // ctrl-A
        m_line.move_to(m_line.row_start());
        return {};
    case 2: // ctrl-B
        m_line.move_to(m_line.left_of_cursor());
        return {};
    case 5: // ctrl-E
        take_motion({Key::Kind::end});
        return {};
    case 6: // ctrl-F
        take_motion({Key::Kind::right});
        return {};
    case 8: // ctrl-H
    case 0x7F:
        return m_line.erase(m_line.left_of_cursor(), m_line.cursor());
    case 11: { // ctrl-K; at the end of a row its line feed
        usize const end = m_line.row_end();
        kill(m_line.cursor(), end == m_line.cursor() ? m_line.right_of_cursor() : end);
        return {};
    }
    case 20: // ctrl-T
        return m_line.transpose();
    case 21: // ctrl-U
        kill(m_line.row_start(), m_line.cursor());
        return {};
    case 23: // ctrl-W
        kill(m_line.blank_left(), m_line.cursor());
        return {};
    case 25: // ctrl-Y
        return m_line.yank();
    case 31: { // ctrl-_
        bool const undone = TRY(m_line.undo());
        m_painter.send(undone ? std::string_view() : bell);
        return {};
    }
    default:
        return {};
    }
}

void LineEditor::kill(usize from, usize to) {
    m_now = Last::kill;
    note(m_line.kill(from, to, m_last == Last::kill));
}

void LineEditor::take_alt(u8 letter) {
    switch (letter) {
    case 'b':
    case 'B':
        return take_motion({Key::Kind::word_left});
    case 'f':
    case 'F':
        return take_motion({Key::Kind::word_right});
    case 'd':
    case 'D':
        return kill(m_line.cursor(), m_line.word_right());
    case 8:
    case 0x7F:
        return kill(m_line.word_left(), m_line.cursor());
    case '\r':
    case '\n':
        return note(m_line.insert("\n"));
    default:
        return;
    }
}

void LineEditor::take_motion(Key const& key) {
    switch (key.kind) {
    case Key::Kind::up:
        return walk_up();
    case Key::Kind::down:
        return walk_down();
    case Key::Kind::left:
        return m_line.move_to(m_line.left_of_cursor());
    case Key::Kind::right:
        return accept_hint(true) ? void() : m_line.move_to(m_line.right_of_cursor());
    case Key::Kind::word_left:
        return m_line.move_to(m_line.word_left());
    case Key::Kind::word_right:
        return accept_hint(false) ? void() : m_line.move_to(m_line.word_right());
    case Key::Kind::home:
        return m_line.move_to(m_line.row_start());
    case Key::Kind::end:
        return accept_hint(true) ? void() : m_line.move_to(m_line.row_end());
    case Key::Kind::erase:
        return note(m_line.erase(m_line.cursor(), m_line.right_of_cursor()));
    case Key::Kind::erase_word:
        return kill(m_line.cursor(), m_line.word_right());
    default:
        return;
    }
}

Action LineEditor::take_enter() {
    m_line.move_to(m_line.size());
    if (m_completer->needs_more(m_line.view())) {
        note(m_line.insert("\n"));
        return Action::none;
    }
    return finish(Action::line);
}

/// Leaves the line on the screen as it is, without hint and list.
Action LineEditor::finish(Action action) {
    m_began = false; // no hint
    draw();
    if (action == Action::interrupt) {
        m_painter.send("^C");
    }
    m_painter.leave();
    m_painter.send(end_bracketed_paste);
    if (action == Action::line) {
        Result<void> const kept = m_history->add(m_line.view());
        static_cast<void>(kept); // the line is run all the same
    } else {
        m_line.clear();
    }
    return action;
}

/// What the newest line of the history that begins with this line goes on with.
std::string_view LineEditor::hint() const {
    std::string_view const line = m_line.view();
    if (line.empty() || m_line.cursor() != line.size() || m_search.runs || !m_began) {
        return {};
    }
    std::optional<usize> const age = m_history->find_older(0, [line](std::string_view old) {
        return old.size() > line.size() && old.starts_with(line);
    });
    if (!age) {
        return {};
    }
    std::string_view const old = m_history->line(*age);
    return slice(old, line.size(), old.size() - line.size());
}

/// Takes the hint, or its first word; false where there is none.
bool LineEditor::accept_hint(bool whole) {
    std::string_view const rest = hint();
    if (rest.empty()) {
        return false;
    }
    usize const before = m_line.size();
    Result<void> const taken = m_line.insert(rest);
    note(taken);
    if (taken && !whole) {
        m_line.move_to(before);
        usize const end = m_line.word_right();
        note(m_line.erase(end, m_line.size()));
    }
    return true;
}

void LineEditor::resize(text::ScreenSize size) {
    CHECK(size.columns > 0 && size.rows > 0);
    m_size = size;
    m_painter.hide_resized();
}

void LineEditor::repaint() {
    m_painter.seek_empty_row(m_size.columns);
}

void LineEditor::refresh() {
    if (m_began) {
        draw();
    }
}

void LineEditor::draw() {
    if (Result<void> const composed = compose_scene(); !composed) {
        say_no_memory();
        return;
    }
    m_said_no_memory = false;
    m_painter.paint(m_frame, m_escapes, m_size.columns);
}

Result<void> LineEditor::compose_scene() {
    m_below.clear();
    if (m_lists && m_began) {
        u32 const rows_max = std::max(m_size.rows, 2u) - 1;
        TRY(list_candidates(m_candidates, m_size.columns, rows_max, m_below));
    } else if (!m_notice.empty() && m_began) {
        TRY(m_below.append(m_notice));
    }
    TRY(search_prompt(m_shown_prompt));
    Scene const scene{
        m_search.runs ? m_shown_prompt.view() : m_prompt.view(),
        m_continuation,
        m_continuation_style,
        m_line.view(),
        m_line.cursor(),
        hint(),
        m_below};
    return compose(scene, m_size, m_top, m_frame);
}

/// There is none even to draw: what is on the screen is given up.
void LineEditor::say_no_memory() {
    if (!m_said_no_memory) {
        m_painter.leave();
        m_painter.print_row(no_memory);
        m_said_no_memory = true;
    }
}

} // namespace twofold::shell
