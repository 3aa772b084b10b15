// Kernel commands: small functions that print tables and return a status. A command is declared
// once, with its usage and summary; `help` and the documents come from the declaration.
#pragma once

#include "core/base/base.hpp"

#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

namespace twofold::boot {

class Kernel;

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

/// A column of a table. `width` is the least number of characters; numbers are aligned to the
/// right.
struct Column {
    std::string_view name;
    u8 width;
};

/// One value of a table's row.
class Cell {
public:
    enum class Kind : u8 { text, number, address };

    constexpr Cell(std::string_view text) : m_kind(Kind::text), m_text(text) {}
    constexpr Cell(char const* text) : Cell(std::string_view(text)) {}
    constexpr Cell(u64 number) : m_kind(Kind::number), m_number(number) {}
    constexpr Cell(u32 number) : Cell(u64{number}) {}
    constexpr Cell(Bytes size) : Cell(size.value) {}
    constexpr Cell(PhysAddr address) : m_kind(Kind::address), m_number(address.value) {}
    constexpr Cell(VirtAddr address) : m_kind(Kind::address), m_number(address.value) {}

    Kind kind() const { return m_kind; }
    std::string_view text() const { return m_text; }
    u64 number() const { return m_number; }

private:
    Kind m_kind;
    std::string_view m_text;
    u64 m_number = 0;
};

/// Where a command prints: lines and tables for people, or one JSON object a command for programs:
/// {"command": "...", "output": [{...}, ...], "status": 0}. Streams; keeps no more than the
/// columns.
class CommandOutput {
public:
    static constexpr usize columns_max = 8;

    CommandOutput(Output const& sink, bool json) : m_sink(sink), m_json(json) {}

    void begin(std::string_view command);
    void end(u8 status);

    /// A line of text. In JSON an object {"text": "..."}.
    void line(std::string_view text);
    template<class First, class... Rest>
    void line(
        FormatString<std::type_identity_t<First>, std::type_identity_t<Rest>...> format,
        First const& first,
        Rest const&... rest) {
        char text[line_max];
        line(format_to(std::span(text), format, first, rest...).text);
    }

    /// Begins a table. `columns` must live until the last row; at most columns_max.
    void table(std::span<Column const> columns);
    /// A row of the table that was begun last, one cell a column.
    void row(std::initializer_list<Cell> cells);

private:
    static constexpr usize line_max = 512;

    void begin_object();
    void json_text(std::string_view text);
    void json_cell(Cell const& cell);
    void plain_cell(Column const& column, Cell const& cell, bool last);

    Output const& m_sink;
    bool m_json;
    bool m_first_object = true;
    std::span<Column const> m_columns;
};

/// What a running command is given.
struct CommandContext {
    Kernel& kernel;
    std::span<std::string_view const> arguments; ///< without the command's own name
    CommandOutput& out;
};

struct Command {
    std::string_view name;
    std::string_view arguments; ///< e.g. "[KIND]"; empty if it takes none
    std::string_view summary;
    usize arguments_max;
    u8 (*run)(CommandContext&);
};

/// A line of commands: `a; b "c d"`. Runs each, prints to `sink`, and returns the last status; an
/// empty line returns `previous`. Words are cut by blanks unless quoted, commands by `;`; a line
/// that begins with `#` is a comment. A malformed line is refused whole.
u8 run_line(Kernel& kernel, Output const& sink, std::string_view line, u8 previous);

/// The commands that every image offers.
std::span<Command const> basic_commands();

/// The commands that measure interrupts, calls and deadlines.
std::span<Command const> measuring_commands();

/// The commands that use devices of the PCI bus (devices.hpp).
std::span<Command const> device_commands();

} // namespace twofold::boot
