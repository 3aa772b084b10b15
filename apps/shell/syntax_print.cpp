// A parsed line as text, and whether two are the same.
#include "apps/shell/syntax.hpp"

namespace twofold::shell {

namespace {

/// Whether letters mean themselves without quotes, wherever they stand. Not '=', which could make
/// an assignment of a word.
bool is_plain(std::string_view letters) {
    return std::all_of(letters.begin(), letters.end(), [](char letter) {
        bool const is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
        bool const is_other = letter >= '+' && letter <= ':'; // + , - . / digits :
        return is_letter || is_other || letter == '_' || static_cast<u8>(letter) >= 0x80;
    });
}

Result<void> print_letters(std::string_view letters, Letters& to) {
    if (is_plain(letters)) {
        return to.append(letters);
    }
    TRY(to.append("'"));
    for (usize i = 0; i < letters.size(); ++i) {
        TRY(to.append(letters[i] == '\'' ? std::string_view("'\\''") : slice(letters, i, 1)));
    }
    return to.append("'");
}

Result<void> print_word(ParsedLine const& line, Word const& word, Letters& to) {
    std::span<Part const> const parts = line.parts(word);
    if (word.name > 0) {
        TRY(to.append(line.name(word)));
        TRY(to.append("="));
    } else if (parts.empty()) {
        return to.append("''");
    }
    for (Part const& part : parts) {
        if (part.is_variable) {
            TRY(to.append("${"));
            TRY(to.append(line.text(part)));
            TRY(to.append("}"));
        } else {
            TRY(print_letters(line.text(part), to));
        }
    }
    return {};
}

Result<void> print_command(ParsedLine const& line, Command const& command, Letters& to) {
    bool is_first = true;
    for (std::span<Word const> const words : {line.assignments(command), line.words(command)}) {
        for (Word const& word : words) {
            TRY(to.append(is_first ? "" : " "));
            TRY(print_word(line, word, to));
            is_first = false;
        }
    }
    return {};
}

/// What stands between a pipeline and the next one.
std::string_view connector(Pipeline const& pipeline, Pipeline const& next) {
    switch (next.condition) {
    case Condition::success:
        return " && ";
    case Condition::failure:
        return " || ";
    case Condition::always:
        return pipeline.background ? " & " : "; ";
    }
    UNREACHABLE();
}

} // namespace

Result<void> ParsedLine::print(Letters& to) const {
    std::span<Pipeline const> const all = pipelines();
    for (usize i = 0; i < all.size(); ++i) {
        bool is_first = true;
        for (Command const& command : commands(all[i])) {
            TRY(to.append(is_first ? "" : " | "));
            TRY(print_command(*this, command, to));
            is_first = false;
        }
        bool const is_last = i + 1 == all.size();
        TRY(to.append(!is_last ? connector(all[i], all[i + 1]) : all[i].background ? " &" : ""));
    }
    return {};
}

bool ParsedLine::operator==(ParsedLine const& other) const {
    auto const equal = [](auto const& a, auto const& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    };
    return m_letters.view() == other.m_letters.view() && equal(m_parts, other.m_parts) &&
           equal(m_words, other.m_words) && equal(m_commands, other.m_commands) &&
           equal(m_pipelines, other.m_pipelines);
}

} // namespace twofold::shell
