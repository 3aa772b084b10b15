// Running lines of commands.
#include "core/boot/command.hpp"

#include "core/boot/kernel.hpp"
#include "core/boot/running_command.hpp"

namespace twofold::boot {

std::span<Argument const> Command::known_arguments() const {
    usize count = 0;
    while (count < arguments_max && !arguments[count].name.empty()) {
        ++count;
    }
    return {arguments, count};
}

std::span<Example const> Command::known_examples() const {
    usize count = 0;
    while (count < examples_max && !examples[count].line.empty()) {
        ++count;
    }
    return {examples, count};
}

Usage usage_of(Command const& command) {
    Usage usage;
    for (Argument const& argument : command.known_arguments()) {
        bool const may_lack = argument.count != ArgumentCount::one;
        usage.append(usage.empty() ? "" : " ").value();
        usage.append(may_lack ? "[" : "").value();
        usage.append(argument.name).value();
        usage.append(argument.count == ArgumentCount::any ? "..." : "").value();
        usage.append(may_lack ? "]" : "").value();
    }
    return usage;
}

u8 say_usage(CommandContext& context, std::string_view name) {
    Command const* const command = find_command(context.kernel.parts, name);
    CHECK(command != nullptr);
    context.out.line("usage: {0} {1}; 'help {0}' explains it", name, usage_of(*command).view());
    return status::usage;
}

std::string_view kind_name(ArgumentKind kind) {
    switch (kind) {
    case ArgumentKind::text:
        return "text";
    case ArgumentKind::number:
        return "number";
    case ArgumentKind::choice:
        return "choice";
    case ArgumentKind::command:
        return "command";
    case ArgumentKind::thread:
        return "thread";
    case ArgumentKind::scenario:
        return "scenario";
    case ArgumentKind::variable:
        return "variable";
    case ArgumentKind::column:
        return "column";
    case ArgumentKind::theme:
        return "theme";
    case ArgumentKind::layout:
        return "layout";
    }
    UNREACHABLE();
}

std::string_view count_name(ArgumentCount count) {
    switch (count) {
    case ArgumentCount::one:
        return "one";
    case ArgumentCount::optional:
        return "optional";
    case ArgumentCount::any:
        return "any";
    }
    UNREACHABLE();
}

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

namespace {

constexpr usize words_max = 16;
constexpr std::string_view separators = ";";

bool is_among(std::string_view choices, std::string_view word) {
    return any_choice(choices, [word](std::string_view choice) { return choice == word; });
}

/// Whether the words are what the command is declared to take; says so if not.
bool check_arguments(
    CommandOutput& out, Command const& command, std::span<std::string_view const> words) {
    auto const known = command.known_arguments();
    usize least = 0;
    usize most = known.size();
    for (Argument const& argument : known) {
        least += argument.count == ArgumentCount::one ? 1 : 0;
        most = argument.count == ArgumentCount::any ? ~usize{0} : most;
    }
    if (words.size() < least || words.size() > most) {
        out.line(
            "{}: too {} arguments; usage: {}{}{}", command.name,
            words.size() < least ? "few" : "many", command.name, known.empty() ? "" : " ",
            usage_of(command).view());
        return false;
    }
    for (usize i = 0; i < words.size(); ++i) {
        Argument const& argument = known[i < known.size() ? i : known.size() - 1];
        if (argument.kind == ArgumentKind::choice && !is_among(argument.choices, words[i])) {
            out.line(
                "{}: '{}' is no {}; one of: {}", command.name, words[i], argument.name,
                argument.choices);
            return false;
        }
        if ((argument.kind == ArgumentKind::number || argument.kind == ArgumentKind::thread) &&
            !parse_unsigned(words[i])) {
            out.line(
                "{}: '{}' is no number; {} is {}", command.name, words[i], argument.name,
                argument.help);
            return false;
        }
    }
    return true;
}

u8 run_words(
    Kernel& kernel,
    CommandOutput& out,
    std::span<std::string_view const> words,
    shell::Session* session,
    bool is_piped,
    u8 previous) {
    CHECK(!words.empty());
    Command const* const command = find_command(kernel.parts, words[0]);
    if (command == nullptr) {
        out.line("unknown command '{}'; 'help' lists the commands", words[0]);
        return status::unknown_command;
    }
    auto const arguments = words.subspan(1);
    if (!check_arguments(out, *command, arguments)) {
        return status::usage;
    }
    CommandContext context{kernel, arguments, out, session, is_piped, previous};
    return command->run(context);
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

u8 print_command(Kernel& kernel, Output const& sink, std::span<std::string_view const> words) {
    Printer printer(sink, kernel.options.json);
    printer.begin(join(words));
    u8 const outcome = run_command(kernel, printer.items(), words);
    printer.items().end(outcome);
    return outcome;
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

u8 run_command(
    Kernel& kernel,
    ItemSink& sink,
    std::span<std::string_view const> words,
    shell::Session* session,
    bool is_piped,
    u8 previous) {
    RunningCommand const running(kernel, join(words));
    CommandOutput out(sink);
    u8 const outcome = run_words(kernel, out, words, session, is_piped, previous);
    running.report(outcome);
    return outcome;
}

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
            last = print_command(kernel, sink, words.items());
            words.clear();
        }
    }
    return last;
}

} // namespace twofold::boot
