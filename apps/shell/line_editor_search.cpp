// LineEditor: lines that come from elsewhere: history, reverse search, completion.
#include "apps/shell/clusters.hpp"
#include "apps/shell/line_editor.hpp"
#include "apps/shell/sequences.hpp"

namespace twofold::shell {

/// An older line that begins with what was typed; in a line of several rows first a row up.
void LineEditor::walk_up() {
    if (m_line.move_row_up()) {
        return;
    }
    bool const goes_on =
        m_walks && m_age < m_history->size() && m_history->line(m_age) == m_line.view();
    if (!goes_on) {
        Result<void> const kept = m_typed.assign(m_line.view());
        m_walks = kept.has_value();
        if (!kept) {
            return note(kept);
        }
    }
    std::string_view const prefix = m_typed;
    std::optional<usize> const age =
        m_history->find_older(goes_on ? m_age + 1 : 0, [&](std::string_view old) {
            return old.starts_with(prefix) && old != m_line.view();
        });
    if (!age) {
        return m_painter.send(bell);
    }
    m_age = *age;
    note(m_line.assign(m_history->line(m_age)));
}

/// A younger one, and at last what was typed.
void LineEditor::walk_down() {
    if (m_line.move_row_down()) {
        return;
    }
    bool const walks =
        m_walks && m_age < m_history->size() && m_history->line(m_age) == m_line.view();
    if (!walks) {
        return m_painter.send(bell);
    }
    std::string_view const prefix = m_typed;
    std::optional<usize> const younger = m_history->find_younger(m_age, [&](std::string_view old) {
        return old.starts_with(prefix) && old != m_line.view();
    });
    m_walks = younger.has_value();
    m_age = younger.value_or(0);
    note(m_line.assign(younger ? m_history->line(m_age) : m_typed.view()));
}

void LineEditor::begin_search() {
    Result<void> const kept = m_typed.assign(m_line.view());
    m_walks = false;
    m_query.clear();
    m_search = {kept.has_value(), false, 0};
    note(kept);
}

/// A key while searching; false where it ends the search and does what it always does.
bool LineEditor::take_search(Key const& key) {
    if (key.kind == Key::Kind::letter && !is_control(key.point)) {
        Result<void> const added = m_query.append(text::encode_utf8(key.point).view());
        note(added);
        find(m_search.age);
        return true;
    }
    if (key.kind == Key::Kind::letter) {
        return true; // line feeds of a paste
    }
    u32 const control = key.kind == Key::Kind::control ? key.point : 0;
    switch (control) {
    case 18: // ctrl-R
        find(m_search.age + (m_query.empty() || m_search.failed ? 0 : 1));
        return true;
    case 19: // ctrl-S
        find_younger();
        return true;
    case 8:
    case 0x7F:
        if (!m_query.empty()) {
            m_query.cut(previous_cluster(m_query, m_query.size()));
        }
        find(0);
        return true;
    case 7: // ctrl-G
        end_search(false);
        return true;
    default:
        end_search(true);
        return false;
    }
}

/// Shows the newest line of at least that age that holds the query.
void LineEditor::find(usize from) {
    std::string_view const query = m_query;
    if (query.empty()) {
        m_search.failed = false;
        m_search.age = 0;
        return note(m_line.assign(m_typed));
    }
    std::optional<usize> const age = m_history->find_older(
        from, [&](std::string_view old) { return old.find(query) != std::string_view::npos; });
    m_search.failed = !age;
    if (!age) {
        return m_painter.send(bell);
    }
    show_found(*age);
}

void LineEditor::find_younger() {
    std::string_view const query = m_query;
    std::optional<usize> const age =
        m_history->find_younger(m_search.age, [&](std::string_view old) {
            return !query.empty() && old.find(query) != std::string_view::npos;
        });
    if (!age) {
        return m_painter.send(bell);
    }
    show_found(*age);
}

/// Shows a line of the history, the cursor where the query begins.
void LineEditor::show_found(usize age) {
    std::string_view const found = m_history->line(age);
    m_search.age = age;
    m_search.failed = false;
    note(m_line.assign(found));
    m_line.move_to(std::min(found.find(m_query.view()), m_line.size()));
}

void LineEditor::end_search(bool accepts) {
    m_search.runs = false;
    if (!accepts) {
        note(m_line.assign(m_typed));
    }
}

Result<void> LineEditor::search_prompt(Letters& prompt) const {
    prompt.clear();
    if (!m_search.runs) {
        return {};
    }
    TRY(prompt.append(m_search.failed ? "(failed reverse-i-search)`" : "(reverse-i-search)`"));
    TRY(prompt.append(m_query));
    return prompt.append("': ");
}

void LineEditor::complete() {
    bool const again = m_last == Last::completion && m_candidates.size() > 1;
    m_now = Last::completion;
    if (again) {
        m_lists = true;
        return;
    }
    note(try_complete());
}

Result<void> LineEditor::try_complete() {
    CursorWord word(*m_allocator);
    TRY(word.read(m_line.before_cursor()));
    CompletionRequest const request = word.request();
    m_candidates.begin(request.word);
    Result<void> const asked = m_completer->complete(request, m_candidates);
    m_candidates.finish();
    if (!asked && asked.error() == Error::out_of_memory) {
        return asked;
    }
    std::string_view const common = m_candidates.common_prefix();
    bool const is_unique = m_candidates.size() == 1;
    if (m_candidates.size() == 0 || (!is_unique && common.size() == request.word.size())) {
        m_painter.send(bell);
        return {};
    }
    Letters typed(*m_allocator);
    usize const start = word.start();
    if (word.quote() != 0) {
        char const quote = word.quote();
        TRY(typed.append({&quote, 1}));
    }
    TRY(append_quoted(common, word.quote(), typed));
    if (is_unique) {
        char const last = common.empty() ? ' ' : common.back();
        if (word.quote() != 0) {
            char const quote = word.quote();
            TRY(typed.append({&quote, 1}));
        }
        bool const goes_on = last == '/' || last == '=';
        bool const has_blank =
            m_line.cursor() < m_line.size() && m_line.view()[m_line.cursor()] == ' ';
        TRY(typed.append(goes_on || has_blank ? "" : " "));
        m_now = Last::other;
    }
    return m_line.replace_range(start, m_line.cursor(), typed);
}

} // namespace twofold::shell
