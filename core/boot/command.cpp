// Running lines of commands, and printing what they say.
#include "core/boot/command.hpp"

#include "core/boot/kernel.hpp"
#include "hal/cpu.hpp"

namespace twofold::boot {

void CommandOutput::begin(std::string_view command) {
    m_first_object = true;
    m_columns = {};
    if (m_json) {
        m_sink.write("{\"command\":");
        json_text(command);
        m_sink.write(",\"output\":[");
    }
}

void CommandOutput::end(u8 status) {
    if (m_json) {
        format_to(m_sink, "],\"status\":{}}}\n", status);
    }
}

void CommandOutput::line(std::string_view text) {
    if (!m_json) {
        m_sink.write(text);
        m_sink.write("\n");
        return;
    }
    begin_object();
    m_sink.write("{\"text\":");
    json_text(text);
    m_sink.write("}");
}

void CommandOutput::table(std::span<Column const> columns) {
    CHECK(!columns.empty() && columns.size() <= columns_max);
    m_columns = columns;
    if (!m_json) {
        for (usize i = 0; i < columns.size(); ++i) {
            plain_cell(columns[i], columns[i].name, i + 1 == columns.size());
        }
        m_sink.write("\n");
    }
}

void CommandOutput::row(std::initializer_list<Cell> cells) {
    CHECK(cells.size() == m_columns.size());
    if (m_json) {
        begin_object();
        m_sink.write("{");
    }
    usize index = 0;
    for (Cell const& cell : cells) {
        bool const last = index + 1 == m_columns.size();
        if (m_json) {
            json_text(m_columns[index].name);
            m_sink.write(":");
            json_cell(cell);
            m_sink.write(last ? "}" : ",");
        } else {
            plain_cell(m_columns[index], cell, last);
        }
        ++index;
    }
    if (!m_json) {
        m_sink.write("\n");
    }
}

void CommandOutput::begin_object() {
    if (!m_first_object) {
        m_sink.write(",");
    }
    m_first_object = false;
}

void CommandOutput::json_text(std::string_view text) {
    m_sink.write("\"");
    for (char const letter : text) { // RFC 8259, section 7
        if (letter == '"' || letter == '\\') {
            format_to(m_sink, "\\{}", letter);
        } else if (static_cast<u8>(letter) < 0x20) {
            format_to(m_sink, "\\u{:04x}", static_cast<u8>(letter));
        } else {
            m_sink.write({&letter, 1});
        }
    }
    m_sink.write("\"");
}

void CommandOutput::json_cell(Cell const& cell) {
    switch (cell.kind()) {
    case Cell::Kind::text:
        json_text(cell.text());
        return;
    case Cell::Kind::number:
        format_to(m_sink, "{}", cell.number());
        return;
    case Cell::Kind::address: // beyond 2^53 a JSON number loses bits
        format_to(m_sink, "\"{:#x}\"", cell.number());
        return;
    }
    UNREACHABLE();
}

void CommandOutput::plain_cell(Column const& column, Cell const& cell, bool last) {
    switch (cell.kind()) {
    case Cell::Kind::text:
        if (last) {
            m_sink.write(cell.text());
        } else {
            format_to(m_sink, "{:<{}}  ", cell.text(), column.width);
        }
        return;
    case Cell::Kind::number:
        format_to(m_sink, "{:>{}}{}", cell.number(), column.width, last ? "" : "  ");
        return;
    case Cell::Kind::address:
        format_to(m_sink, "{:<#{}x}{}", cell.number(), column.width, last ? "" : "  ");
        return;
    }
    UNREACHABLE();
}

namespace {

constexpr usize words_max = 16;
constexpr std::string_view separators = ";";

Command const* find_command(Composition const& parts, std::string_view name) {
    for (auto const table : parts.commands) {
        for (Command const& command : table) {
            if (command.name == name) {
                return &command;
            }
        }
    }
    return nullptr;
}

u8 run_words(Kernel& kernel, CommandOutput& out, std::span<std::string_view const> words) {
    CHECK(!words.empty());
    Command const* const command = find_command(kernel.parts, words[0]);
    if (command == nullptr) {
        out.line("unknown command '{}'; 'help' lists the commands", words[0]);
        return status::unknown_command;
    }
    auto const arguments = words.subspan(1);
    if (arguments.size() > command->arguments_max) {
        out.line("{}: too many arguments; usage: {} {}", words[0], words[0], command->arguments);
        return status::usage;
    }
    CommandContext context{kernel, arguments, out};
    return command->run(context);
}

/// Runs one command and reports it to the result channel.
u8 run_reported(Kernel& kernel, Output const& sink, std::span<std::string_view const> words) {
    FixedString<Options::command_max> text;
    for (std::string_view const word : words) {
        text.append(text.empty() ? "" : " ").value();
        text.append(word).value();
    }
    u64 const number = kernel.commands_run++;
    u64 const before = hal::Cpu::cycle_counter();
    kernel.running_command = text;
    kernel.event(trace::EventKind::command_begin, number);
    CommandOutput out(sink, kernel.options.json);
    out.begin(text);
    u8 const outcome = run_words(kernel, out, words);
    out.end(outcome);
    CHECK(outcome <= status::command_max);
    kernel.event(trace::EventKind::command_end, number, outcome);
    kernel.running_command = {};
    trace::Record record(trace::RecordType::command);
    record.text(text).integer(outcome);
    kernel.send(record.number(before).number(hal::Cpu::cycle_counter()));
    return outcome;
}

/// What is wrong with a line, before any of it runs; empty if nothing.
std::string_view problem_of(std::string_view line, std::span<char> scratch) {
    Tokenizer tokens(line, scratch, separators);
    usize words = 0;
    while (true) {
        Result<Token> const token = tokens.next();
        if (!token) {
            return token.error() == Error::truncated ? "a quote is not closed"
                                                     : "the line is too long";
        }
        switch (token.value().kind) {
        case Token::Kind::end:
            return "";
        case Token::Kind::separator:
            words = 0;
            break;
        case Token::Kind::word:
            if (++words > words_max) {
                return "a command has too many words";
            }
            break;
        }
    }
}

bool is_comment(std::string_view line) {
    for (char const letter : line) {
        if (letter != ' ' && letter != '\t') {
            return letter == '#';
        }
    }
    return false;
}

} // namespace

u8 run_line(Kernel& kernel, Output const& sink, std::string_view line, u8 previous) {
    char scratch[Options::command_max];
    if (is_comment(line)) {
        return previous;
    }
    if (auto const problem = problem_of(line, scratch); !problem.empty()) {
        format_to(sink, "{}; nothing of the line was run\n", problem);
        return status::usage;
    }
    u8 last = previous;
    Tokenizer tokens(line, scratch, separators);
    FixedVector<std::string_view, words_max> words;
    for (bool more = true; more;) {
        Token const token = tokens.next().value();
        more = token.kind != Token::Kind::end;
        if (token.kind == Token::Kind::word) {
            words.push_back(token.text).value();
        } else if (!words.empty()) {
            last = run_reported(kernel, sink, words.items());
            words.clear();
        }
    }
    return last;
}

} // namespace twofold::boot
