// Kernel commands: small functions that print tables and return a status. A command is declared
// once, with its arguments and examples; `help`, completion and the documents come from that.
#pragma once

#include "core/base/base.hpp"
#include "core/boot/command_output.hpp"

#include <span>
#include <string_view>

namespace twofold::shell {
class Session;
}

namespace twofold::boot {

class Kernel;
struct Composition;

/// The status of a command, which becomes the status of the run. 0 to 63; higher ones are the
/// runner's.
namespace status {
inline constexpr u8 success = 0;
inline constexpr u8 failure = 1;
inline constexpr u8 usage = 2;
inline constexpr u8 unknown_command = 3;
inline constexpr u8 command_max = 63; ///< statuses above are not a command's
inline constexpr u8 panic = 70;
} // namespace status

/// What a word of a command stands for: how it is checked before the command runs, how it is
/// completed, and what the documents say.
enum class ArgumentKind : u8 {
    text,     ///< whatever is typed
    number,   ///< decimal, or hexadecimal after 0x
    choice,   ///< one of `choices`
    command,  ///< the name of a command
    thread,   ///< the number of a thread
    scenario, ///< the name of a scenario
    variable, ///< the name of a variable of the shell
    column,   ///< the name of a column of the table before
    theme,    ///< the name of a theme of the screen
    layout,   ///< the name of a keyboard's layout
};

enum class ArgumentCount : u8 {
    one,
    optional,
    any, ///< as many as there are, none too; the last argument
};

struct Argument {
    std::string_view name; ///< as in a usage, e.g. "ID"; empty: there is none
    std::string_view help;
    ArgumentKind kind = ArgumentKind::text;
    ArgumentCount count = ArgumentCount::one;
    std::string_view choices = {}; ///< words with blanks between
};

/// Calls visit(choice) for each of an argument's choices until one is answered with true; whether
/// one was.
template<class Visit>
bool any_choice(std::string_view choices, Visit const& visit) {
    while (!choices.empty()) {
        std::string_view const choice = choices.substr(0, choices.find(' '));
        if (visit(choice)) {
            return true;
        }
        choices.remove_prefix(choices.size() > choice.size() ? choice.size() + 1 : choice.size());
    }
    return false;
}

struct Example {
    std::string_view line; ///< as it is typed; empty: there is none
    std::string_view tells;
};

/// What a running command is given.
struct CommandContext {
    Kernel& kernel;
    std::span<std::string_view const> arguments; ///< without the command's own name
    CommandOutput& out;
    shell::Session* session = nullptr; ///< whoever asks; null: no shell does
    bool is_piped = false;             ///< what is printed is for another command
    u8 previous = status::success;     ///< the status of what ran before it

    /// Whether somebody wants the command to end early (threads.cpp). Context thread; O(1).
    bool is_interrupted() const;
};

/// A command, declared once: what it is called with, and what helps people to use it.
struct Command {
    static constexpr usize arguments_max = 4, examples_max = 3;

    std::string_view name;
    std::string_view summary;
    u8 (*run)(CommandContext&);
    Argument arguments[arguments_max] = {};
    Example examples[examples_max] = {};

    /// Those that there are.
    std::span<Argument const> known_arguments() const;
    std::span<Example const> known_examples() const;
};

/// Commands that are told of together: each group is a page of the documents.
struct CommandTable {
    constexpr CommandTable() = default;
    constexpr CommandTable(std::string_view of, std::span<Command const> all)
        : group(of), commands(all) {}
    /// Of no group: what an image of measurements or tests brings along.
    constexpr CommandTable(std::span<Command const> all) : commands(all) {}

    std::string_view group; ///< one word, e.g. "threads"
    std::span<Command const> commands;

    auto begin() const { return commands.begin(); }
    auto end() const { return commands.end(); }
};

/// How it is called, behind its name: "ID VALUE", "[COMMAND]". Empty if it takes nothing.
using Usage = FixedString<96>;
Usage usage_of(Command const& command);

/// Says how the command of that name is called, and answers status::usage.
u8 say_usage(CommandContext& context, std::string_view name);

/// The command of that name; null: there is none.
Command const* find_command(Composition const& parts, std::string_view name);

/// As documents and programs write them: "number", "optional".
std::string_view kind_name(ArgumentKind kind);
std::string_view count_name(ArgumentCount count);

/// Runs the command that the first of `words` names, with the others, and reports it to the result
/// channel. Its status; unknown_command and usage where it could not run, which is said.
u8 run_command(
    Kernel& kernel,
    ItemSink& sink,
    std::span<std::string_view const> words,
    shell::Session* session = nullptr,
    bool is_piped = false,
    u8 previous = status::success);

/// A line of commands: `a; b "c d"`. Runs each, prints to `sink`, and returns the last status; an
/// empty line returns `previous`. Words are cut by blanks unless quoted, commands by `;`; a line
/// that begins with `#` is a comment. A malformed line is refused whole.
u8 run_line(Kernel& kernel, Output const& sink, std::string_view line, u8 previous);

/// The commands that every image offers.
CommandTable basic_commands();

/// The commands that measure interrupts, calls and deadlines.
CommandTable measuring_commands();

/// The commands that use devices of the PCI bus (devices.hpp).
CommandTable device_commands();

} // namespace twofold::boot
