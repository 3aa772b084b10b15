// Completion: candidates kept and sorted, the word under the cursor read, words quoted, lists laid
// out.
#include "apps/shell/completion.hpp"

#include "apps/shell/glyphs.hpp"

namespace twofold::shell {

namespace {

constexpr std::string_view separators = ";|&\n";
constexpr std::string_view special = " \t\n'\"\\;|&#$(){}<>*?";

/// Within "..." a backslash before anything else is a letter.
constexpr bool is_escaped_in_quotes(char letter) {
    return letter == '"' || letter == '\\' || letter == '$';
}

bool has_controls(std::string_view text) {
    return std::any_of(
        text.begin(), text.end(), [](char letter) { return is_control(static_cast<u8>(letter)); });
}

usize common_length(std::string_view a, std::string_view b) {
    auto const [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    static_cast<void>(other);
    return static_cast<usize>(end - a.begin());
}

Result<void> append_blanks(Letters& to, usize count) {
    while (count-- > 0) {
        TRY(to.append(" "));
    }
    return {};
}

/// How candidates are divided into columns.
struct Columns {
    usize name = 0; ///< cells of the widest text
    usize cell = 0; ///< cells of the widest text with its description
    usize count = 1;
    usize rows = 0;
};

constexpr usize gap = 2; ///< cells between columns, and between a text and its description

Columns divide(Candidates const& candidates, u32 columns) {
    Columns divided;
    usize description = 0;
    for (usize i = 0; i < candidates.size(); ++i) {
        divided.name = std::max(divided.name, cells_of(candidates[i].text));
        description = std::max(description, cells_of(candidates[i].description));
    }
    divided.cell = divided.name + (description > 0 ? gap + description : 0);
    divided.count = std::max<usize>((columns + gap) / (divided.cell + gap), 1);
    divided.rows = (candidates.size() + divided.count - 1) / divided.count;
    return divided;
}

/// One row of cells: every `step`th candidate from `first` on, as far as `end`.
Result<void> append_row(
    Candidates const& candidates,
    Columns const& columns,
    usize first,
    usize step,
    usize end,
    Letters& rows) {
    for (usize i = first; i < end; i += step) {
        Candidate const candidate = candidates[i];
        TRY(rows.append(candidate.text));
        usize used = cells_of(candidate.text);
        if (!candidate.description.empty()) {
            TRY(append_blanks(rows, columns.name - used + gap));
            TRY(rows.append(candidate.description));
            used = columns.name + gap + cells_of(candidate.description);
        }
        if (i + step < end) {
            TRY(append_blanks(rows, columns.cell - used + gap));
        }
    }
    return {};
}

} // namespace

void Candidates::begin(std::string_view word) {
    m_word = word;
    m_bytes.clear();
    m_items.clear();
}

Result<void> Candidates::add(std::string_view text, std::string_view description) {
    if (!text.starts_with(m_word)) {
        return {};
    }
    if (has_controls(text) || has_controls(description)) {
        return Error::invalid_argument;
    }
    if (size() == count_max) {
        return Error::no_space;
    }
    usize const offset = m_bytes.size();
    Result<void> added = m_bytes.append(text);
    added = added ? m_bytes.append(description) : added;
    if (added) {
        added = m_items.push(
            {static_cast<u32>(offset), static_cast<u32>(text.size()),
             static_cast<u32>(description.size())});
    }
    if (!added) {
        m_bytes.cut(offset);
    }
    return added;
}

void Candidates::finish() {
    auto const less = [this](Item const& a, Item const& b) { return text_of(a) < text_of(b); };
    auto const same = [this](Item const& a, Item const& b) { return text_of(a) == text_of(b); };
    std::span<Item> const items = m_items.items();
    std::sort(items.begin(), items.end(), less);
    auto const end = std::unique(items.begin(), items.end(), same);
    auto const kept = static_cast<usize>(end - items.begin());
    while (m_items.size() > kept) {
        m_items.pop();
    }
    m_word = {};
}

Candidate Candidates::operator[](usize index) const {
    Item const& item = m_items[index];
    return {text_of(item), slice(m_bytes, item.offset + item.text_size, item.description_size)};
}

std::string_view Candidates::common_prefix() const {
    if (size() == 0) {
        return {};
    }
    std::string_view const first = text_of(m_items[0]);
    usize common = common_length(first, text_of(m_items[size() - 1])); // they are sorted
    while (common > 0 && common < first.size() && !starts_code_point(first[common])) {
        --common;
    }
    return slice(first, 0, common);
}

void CursorWord::end_word(usize letters_before) {
    if (m_count < words_max && m_letters.size() > letters_before) {
        m_ends[m_count++] = m_letters.size();
    }
}

/// A separator stands there. Behind `|` the pipeline goes on, in another row, too.
void CursorWord::end_command(std::string_view before_cursor, usize at) {
    auto const is_bar = [&](usize place) {
        return place < before_cursor.size() && before_cursor[place] == '|';
    };
    bool const is_empty = m_letters.empty() && m_count == 0;
    bool const is_or = is_bar(at + 1) || (is_empty && at > 0 && is_bar(at - 1));
    if (is_bar(at) && !is_or) {
        m_before = slice(before_cursor, m_pipeline, at - m_pipeline);
    } else if (before_cursor[at] != '\n' || !is_empty || m_before.empty()) {
        m_before = {};
        m_pipeline = at + 1;
    }
    m_letters.clear();
    m_count = 0;
    m_start = at + 1;
}

Result<void> CursorWord::read(std::string_view before_cursor) {
    m_letters.clear();
    m_count = 0;
    m_quote = 0;
    m_start = 0;
    m_before = {};
    m_pipeline = 0;
    usize word_letters = 0; // where the word's begin in m_letters
    for (usize at = 0; at < before_cursor.size(); ++at) {
        char const letter = before_cursor[at];
        bool const is_last = at + 1 == before_cursor.size();
        char const next = is_last ? '\0' : before_cursor[at + 1];
        bool const escapes = m_quote == 0 || (m_quote == '"' && is_escaped_in_quotes(next));
        if (letter == '\\' && escapes && !is_last) {
            TRY(m_letters.append(slice(before_cursor, ++at, 1)));
        } else if (m_quote != 0 ? letter == m_quote : letter == '\'' || letter == '"') {
            m_quote = m_quote != 0 ? '\0' : letter;
        } else if (m_quote != 0) {
            TRY(m_letters.append(slice(before_cursor, at, 1)));
        } else if (separators.find(letter) != std::string_view::npos) {
            end_command(before_cursor, at);
            word_letters = 0;
        } else if (letter == ' ' || letter == '\t') {
            end_word(word_letters);
            word_letters = m_letters.size();
            m_start = at + 1;
        } else {
            TRY(m_letters.append(slice(before_cursor, at, 1)));
        }
    }
    usize begin = 0;
    for (usize i = 0; i < m_count; ++i) {
        m_words[i] = slice(m_letters, begin, m_ends[i] - begin);
        begin = m_ends[i];
    }
    m_word = slice(m_letters, word_letters, m_letters.size() - word_letters);
    return {};
}

Result<void> append_quoted(std::string_view word, char quote, Letters& to) {
    for (usize i = 0; i < word.size(); ++i) {
        char const letter = word[i];
        bool escapes = quote == '"' ? is_escaped_in_quotes(letter)
                                    : special.find(letter) != std::string_view::npos;
        escapes = escapes && !(letter == '$' && i == 0); // a variable's name is completed
        if (quote == '\'' && letter == '\'') {
            TRY(to.append("'\\''"));
            continue;
        }
        TRY(to.append(escapes && quote != '\'' ? "\\" : ""));
        TRY(to.append(slice(word, i, 1)));
    }
    return {};
}

Result<void>
list_candidates(Candidates const& candidates, u32 columns, u32 rows_max, Letters& rows) {
    rows.clear();
    Columns const divided = divide(candidates, columns);
    bool const is_cut = divided.rows > rows_max;
    usize const row_count = is_cut ? std::max<usize>(rows_max, 1) - 1 : divided.rows;
    usize const shown =
        is_cut ? std::min(candidates.size(), row_count * divided.count) : candidates.size();
    for (usize row = 0; row < row_count; ++row) {
        TRY(rows.append(row > 0 ? "\n" : ""));
        TRY(append_row(candidates, divided, row, row_count, shown, rows));
    }
    if (is_cut) {
        char text[48];
        TRY(rows.append(row_count > 0 ? "\n" : ""));
        TRY(rows.append(
            format_to(std::span(text), "... and {} more", candidates.size() - shown).text));
    }
    return {};
}

} // namespace twofold::shell
