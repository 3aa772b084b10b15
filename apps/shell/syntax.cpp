// The parser: one pass over the text, one function a rule of the grammar.
#include "apps/shell/syntax.hpp"

#include "apps/shell/variables.hpp"

namespace twofold::shell {

namespace {

constexpr bool is_gap(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\r';
}
constexpr bool is_operator(char letter) {
    return letter == ';' || letter == '|' || letter == '&' || letter == '\n';
}
constexpr bool begins_name(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
}
constexpr bool is_of_name(char letter) {
    return begins_name(letter) || (letter >= '0' && letter <= '9');
}

/// How long a variable's name at the beginning of a text is; 0: there is none.
usize name_length(std::string_view text) {
    usize length = 0;
    while (length < text.size() &&
           (length == 0 ? begins_name(text[0]) : is_of_name(text[length]))) {
        ++length;
    }
    return length;
}

} // namespace

bool is_variable_name(std::string_view text) {
    return !text.empty() && text.size() <= Variables::name_bytes_max &&
           name_length(text) == text.size();
}

class Parser {
public:
    Parser(ParsedLine& line, std::string_view text, Problem& problem)
        : m_line(line), m_text(text), m_problem(problem) {}

    Result<void> parse() {
        if (m_text.size() > text_bytes_max) {
            return fail(0, Error::no_space, "the line is longer than {} bytes", text_bytes_max);
        }
        Condition condition = Condition::always;
        skip(Rows::too);
        while (!at_end()) {
            TRY(take_pipeline(condition));
            condition = TRY(take_connector());
        }
        return condition == Condition::always ? Result<void>() : wait_for("another command");
    }

private:
    enum class Rows : u8 { not_, too };

    bool at_end() const { return m_at == m_text.size(); }
    char now() const { return at_end() ? '\0' : m_text[m_at]; }
    bool is_now(std::string_view what) const { return rest().starts_with(what); }
    std::string_view rest() const { return slice(m_text, m_at, m_text.size() - m_at); }

    template<class... Args>
    Error fail(
        usize at,
        Error error,
        FormatString<std::type_identity_t<Args>...> format,
        Args const&... args) {
        usize row = at;
        while (row > 0 && m_text[row - 1] != '\n') {
            --row;
        }
        char text[decltype(m_problem.text)::capacity()];
        std::string_view const said = format_to<Args...>(std::span(text), format, args...).text;
        m_problem.column = static_cast<u32>(code_point_count(slice(m_text, row, at - row))) + 1;
        m_problem.text.clear();
        Result<void> const kept = m_problem.text.append(said);
        CHECK(kept.has_value());
        return error;
    }
    Error wait_for(std::string_view what) {
        return fail(m_text.size(), Error::truncated, "the line ends where {} is expected", what);
    }

    /// Skips blanks, comments and rows that are joined; line feeds too where they mean nothing.
    void skip(Rows rows) {
        while (!at_end()) {
            if (is_gap(now()) || (rows == Rows::too && now() == '\n')) {
                ++m_at;
            } else if (is_now("\\\n")) {
                m_at += 2;
            } else if (now() == '#') {
                while (!at_end() && now() != '\n') {
                    ++m_at;
                }
            } else {
                return;
            }
        }
    }

    Result<void> take_pipeline(Condition condition) {
        Pipeline pipeline{{commands(), commands()}, condition, false};
        for (bool goes_on = true; goes_on;) {
            TRY(take_command());
            goes_on = now() == '|' && !is_now("||");
            if (goes_on) {
                ++m_at;
                skip(Rows::too);
                TRY(at_end() ? wait_for("the command behind '|'") : Result<void>());
            }
        }
        pipeline.commands.end = commands();
        return m_line.m_pipelines.push(pipeline);
    }

    /// What stands behind a pipeline; the condition of the next one.
    Result<Condition> take_connector() {
        Condition condition = Condition::always;
        if (is_now("&&") || is_now("||")) {
            condition = now() == '&' ? Condition::success : Condition::failure;
            m_at += 2;
        } else if (!at_end()) {
            if (now() == '&') {
                send_list_to_background();
            }
            ++m_at;
        }
        skip(Rows::too);
        return condition;
    }

    /// All that `&&` and `||` join, as in POSIX.1-2017, "Shell command language", 2.9.3.
    void send_list_to_background() {
        for (usize i = m_line.m_pipelines.size(); i-- > 0;) {
            m_line.m_pipelines[i].background = true;
            if (m_line.m_pipelines[i].condition == Condition::always) {
                return;
            }
        }
    }

    Result<void> take_command() {
        if (commands() == commands_max) {
            return fail(m_at, Error::no_space, "more than {} commands", commands_max);
        }
        Command command;
        command.assignments = {words(), words()};
        command.words = command.assignments;
        while (!at_end() && !is_operator(now())) {
            bool const may_assign = command.words.size() == 0;
            usize const name = may_assign ? name_length(rest()) : 0;
            bool const assigns =
                name > 0 && slice(rest(), name, rest().size() - name).starts_with('=');
            TRY(take_word(assigns ? name : 0));
            command.words.end = words();
            if (assigns) {
                command.assignments.end = words();
                command.words.begin = words();
            }
            skip(Rows::not_);
        }
        if (command.words.end == command.assignments.begin) {
            return fail_without_command();
        }
        return m_line.m_commands.push(command);
    }
    Error fail_without_command() {
        bool const is_double = is_now("&&") || is_now("||") || is_now(";;");
        return fail(
            m_at, Error::invalid_argument, "a command is missing before '{}'",
            slice(rest(), 0, is_double ? 2 : 1));
    }

    Result<void> take_word(usize name) {
        if (words() == words_max) {
            return fail(m_at, Error::no_space, "more than {} words", words_max);
        }
        if (name > Variables::name_bytes_max) {
            return fail(
                m_at, Error::invalid_argument, "a variable's name is longer than {} bytes",
                Variables::name_bytes_max);
        }
        Word word{{parts(), parts()}, static_cast<u32>(name)};
        if (name > 0) {
            TRY(add_part(false, slice(rest(), 0, name)));
            m_at += name + 1;
        }
        m_joins = false;
        while (!at_end() && !is_gap(now()) && !is_operator(now())) {
            TRY(take_piece());
        }
        word.parts.end = parts();
        return m_line.m_words.push(word);
    }
    Result<void> take_piece() {
        switch (now()) {
        case '\'':
            return take_single();
        case '"':
            return take_double();
        case '$':
            return take_variable();
        case '\\':
            ++m_at;
            if (at_end()) {
                return wait_for("the character behind '\\'");
            }
            return take_letters(now() == '\n' ? 0 : 1, now() == '\n' ? 1 : 0);
        default:
            return take_letters(1, 0);
        }
    }
    Result<void> take_single() {
        usize const begin = m_at++;
        usize length = 0;
        while (length < rest().size() && rest()[length] != '\'') {
            ++length;
        }
        if (length == rest().size()) {
            return fail(begin, Error::truncated, "the quote ' is not closed");
        }
        return take_letters(length, 1);
    }
    Result<void> take_double() {
        usize const begin = m_at++;
        while (!at_end() && now() != '"') {
            bool const escapes = now() == '\\' && m_at + 1 < m_text.size();
            char const next = escapes ? m_text[m_at + 1] : '\0';
            if (escapes && (next == '"' || next == '\\' || next == '$' || next == '\n')) {
                ++m_at;
                TRY(take_letters(next == '\n' ? 0 : 1, next == '\n' ? 1 : 0));
            } else if (now() == '$') {
                TRY(take_variable());
            } else {
                TRY(take_letters(1, 0));
            }
        }
        if (at_end()) {
            return fail(begin, Error::truncated, "the quote \" is not closed");
        }
        ++m_at;
        return {};
    }
    /// A '$' that no name follows is a letter.
    Result<void> take_variable() {
        usize const begin = m_at;
        std::string_view const behind = slice(rest(), 1, rest().size() - 1);
        bool const braced = behind.starts_with('{');
        std::string_view const at_name = braced ? slice(behind, 1, behind.size() - 1) : behind;
        usize const name = at_name.starts_with('?') ? 1 : name_length(at_name);
        if (name == 0 && !braced) {
            return take_letters(1, 0);
        }
        bool const is_closed = !braced || (name < at_name.size() && at_name[name] == '}');
        if (name == 0 || !is_closed) {
            return fail(
                begin, Error::invalid_argument,
                "'${{' needs a variable's name and a '}}' behind it");
        }
        if (name > Variables::name_bytes_max) {
            return fail(
                begin, Error::invalid_argument, "a variable's name is longer than {} bytes",
                Variables::name_bytes_max);
        }
        TRY(add_part(true, slice(at_name, 0, name)));
        m_at += 1 + name + (braced ? 2 : 0);
        m_joins = false;
        return {};
    }

    /// Letters as they are, and how many bytes are passed over behind them.
    Result<void> take_letters(usize count, usize passed_over) {
        std::string_view const letters = slice(rest(), 0, count);
        if (m_joins) {
            TRY(m_line.m_letters.append(letters));
            m_line.m_parts.back().size += static_cast<u32>(count);
        } else if (count > 0) {
            TRY(add_part(false, letters));
            m_joins = true;
        }
        m_at += count + passed_over;
        return {};
    }
    Result<void> add_part(bool is_variable, std::string_view letters) {
        auto const offset = static_cast<u32>(m_line.m_letters.size());
        TRY(m_line.m_letters.append(letters));
        return m_line.m_parts.push({is_variable, offset, static_cast<u32>(letters.size())});
    }

    u32 parts() const { return static_cast<u32>(m_line.m_parts.size()); }
    u32 words() const { return static_cast<u32>(m_line.m_words.size()); }
    u32 commands() const { return static_cast<u32>(m_line.m_commands.size()); }

    ParsedLine& m_line;
    std::string_view m_text;
    Problem& m_problem;
    usize m_at = 0;
    bool m_joins = false; ///< letters belong to the last part
};

Result<ParsedLine>
ParsedLine::parse(AnyAllocator& allocator, std::string_view text, Problem& problem) {
    ParsedLine line(allocator);
    TRY(Parser(line, text, problem).parse());
    return line;
}

bool is_incomplete(AnyAllocator& allocator, std::string_view text) {
    Problem problem;
    Result<ParsedLine> const parsed = ParsedLine::parse(allocator, text, problem);
    return !parsed && parsed.error() == Error::truncated;
}

} // namespace twofold::shell
