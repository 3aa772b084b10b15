// LineBuffer: every change is one replacement, which leaves a step to undo.
#include "apps/shell/line_buffer.hpp"

#include "apps/shell/clusters.hpp"

namespace twofold::shell {

namespace {

constexpr bool is_blank(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\n';
}

/// Words are of letters, digits, underscores and whatever is not ASCII.
constexpr bool is_of_word(char letter) {
    bool const is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    return is_letter || (letter >= '0' && letter <= '9') || letter == '_' ||
           static_cast<u8>(letter) >= 0x80;
}

} // namespace

void LineBuffer::clear() {
    m_line.clear();
    m_cursor = 0;
    forget_steps();
}

usize LineBuffer::cluster_start(usize at) const {
    CHECK(at <= size());
    return cluster_boundary(m_line, at);
}

Result<void> LineBuffer::replace(usize at, usize removed, std::string_view inserted) {
    CHECK(at <= size() && removed <= size() - at);
    if (size() - removed + inserted.size() > line_bytes_max) {
        return Error::no_space;
    }
    Step const step{
        static_cast<u32>(at), static_cast<u32>(inserted.size()), static_cast<u32>(removed),
        static_cast<u32>(m_cursor), false};
    usize const removed_before = m_removed.size();
    bool const kept = m_removed.append(slice(m_line, at, removed)).has_value();
    if (Result<void> const replaced = m_line.replace(at, removed, inserted); !replaced) {
        m_removed.cut(kept ? removed_before : m_removed.size());
        return replaced;
    }
    m_cursor = cluster_start(at + inserted.size());
    if (kept) {
        note_step(step);
    } else {
        forget_steps();
    }
    return {};
}

/// A step that finds no memory makes the ones before it worthless.
void LineBuffer::note_step(Step const& step) {
    if (!m_steps.push(step)) {
        forget_steps();
    } else if (m_steps.size() > undo_steps_max || m_removed.size() > undo_bytes_max) {
        forget_old_steps();
    }
}

void LineBuffer::forget_steps() {
    m_steps.clear();
    m_removed.clear();
}

/// The older half of the steps, and as many more as hold too much.
void LineBuffer::forget_old_steps() {
    std::span<Step> const steps = m_steps.items();
    usize count = 0;
    usize bytes = 0;
    while (count < steps.size() &&
           (count < steps.size() / 2 || m_removed.size() - bytes > undo_bytes_max / 2)) {
        bytes += steps[count++].removed;
    }
    std::copy(steps.begin() + static_cast<i64>(count), steps.end(), steps.begin());
    for (usize i = 0; i < count; ++i) {
        m_steps.pop();
    }
    Result<void> const cut = m_removed.replace(0, bytes, {});
    CHECK(cut.has_value());
}

Result<void> LineBuffer::type(std::string_view cluster) {
    usize const at = m_cursor;
    bool const begins_word = at == 0 || (is_blank(m_line.view()[at - 1]) && !is_blank(cluster[0]));
    usize const steps_before = m_steps.size();
    TRY(insert(cluster));
    if (m_steps.size() != steps_before + 1) {
        return {};
    }
    Step& step = m_steps.back();
    step.typed = true;
    if (steps_before == 0 || begins_word) {
        return {};
    }
    Step& before = m_steps[steps_before - 1];
    if (before.typed && before.at + before.inserted == step.at) {
        before.inserted += step.inserted;
        m_steps.pop();
    }
    return {};
}

usize LineBuffer::left_of_cursor() const {
    return m_cursor == 0 ? 0 : previous_cluster(m_line, m_cursor);
}

usize LineBuffer::right_of_cursor() const {
    return m_cursor == size() ? m_cursor : next_cluster(m_line, m_cursor);
}

usize LineBuffer::word_left() const {
    std::string_view const line = m_line;
    usize at = m_cursor;
    while (at > 0 && !is_of_word(line[at - 1])) {
        --at;
    }
    while (at > 0 && is_of_word(line[at - 1])) {
        --at;
    }
    return cluster_start(at);
}

usize LineBuffer::word_right() const {
    std::string_view const line = m_line;
    usize at = m_cursor;
    while (at < line.size() && !is_of_word(line[at])) {
        ++at;
    }
    while (at < line.size() && is_of_word(line[at])) {
        ++at;
    }
    return cluster_start(at);
}

usize LineBuffer::blank_left() const {
    std::string_view const line = m_line;
    usize at = m_cursor;
    while (at > 0 && is_blank(line[at - 1])) {
        --at;
    }
    while (at > 0 && !is_blank(line[at - 1])) {
        --at;
    }
    return cluster_start(at);
}

usize LineBuffer::row_start() const {
    usize at = m_cursor;
    while (at > 0 && m_line.view()[at - 1] != '\n') {
        --at;
    }
    return at;
}

usize LineBuffer::row_end() const {
    usize at = m_cursor;
    while (at < size() && m_line.view()[at] != '\n') {
        ++at;
    }
    return at;
}

bool LineBuffer::move_row_up() {
    usize const start = row_start();
    if (start == 0) {
        return false;
    }
    usize const column = code_point_count(slice(m_line, start, m_cursor - start));
    m_cursor = start - 1;
    usize const above = row_start();
    std::string_view const row = slice(m_line, above, m_cursor - above);
    move_to(above + code_point_prefix(row, column).size());
    return true;
}

bool LineBuffer::move_row_down() {
    usize const end = row_end();
    if (end == size()) {
        return false;
    }
    usize const start = row_start();
    usize const column = code_point_count(slice(m_line, start, m_cursor - start));
    m_cursor = end + 1;
    std::string_view const row = slice(m_line, end + 1, row_end() - end - 1);
    move_to(end + 1 + code_point_prefix(row, column).size());
    return true;
}

Result<void> LineBuffer::kill(usize from, usize to, bool joins) {
    CHECK(from <= to && to <= size());
    if (from == to) {
        return {};
    }
    std::string_view const text = slice(m_line, from, to - from);
    if (!joins) {
        TRY(m_killed.assign(text));
    } else {
        TRY(m_killed.replace(from < m_cursor ? 0 : m_killed.size(), 0, text));
    }
    if (m_killed.size() > line_bytes_max) {
        m_killed.cut(line_bytes_max);
    }
    return erase(from, to);
}

Result<void> LineBuffer::transpose() {
    if (m_cursor == 0) {
        return {};
    }
    usize const middle = m_cursor == size() ? previous_cluster(m_line, m_cursor) : m_cursor;
    if (middle == 0) {
        return {};
    }
    usize const from = previous_cluster(m_line, middle);
    usize const to = next_cluster(m_line, middle);
    Letters swapped(m_steps.allocator());
    TRY(swapped.append(slice(m_line, middle, to - middle)));
    TRY(swapped.append(slice(m_line, from, middle - from)));
    return replace(from, to - from, swapped);
}

Result<bool> LineBuffer::undo() {
    if (m_steps.empty()) {
        return false;
    }
    Step const step = m_steps.back();
    usize const kept = m_removed.size() - step.removed;
    TRY(m_line.replace(step.at, step.inserted, slice(m_removed, kept, step.removed)));
    m_steps.pop();
    m_removed.cut(kept);
    m_cursor = cluster_start(step.cursor);
    return true;
}

} // namespace twofold::shell
