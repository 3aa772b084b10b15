// What commands print: lines and tables, as values. Where they go (a screen, JSON, the next command
// of a pipe) is a sink's affair.
#pragma once

#include "core/base/base.hpp"

#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

namespace twofold::boot {

/// A column of a table. `width` is the least number of characters; numbers are aligned to the
/// right.
struct Column {
    std::string_view name;
    u8 width;
};

/// One value of a table's row.
class Cell {
public:
    enum class Kind : u8 { text, number, address, percent };

    constexpr Cell(std::string_view text)
        : m_letters(text.data()), m_number(text.size()), m_kind(Kind::text) {}
    constexpr Cell(char const* text) : Cell(std::string_view(text)) {}
    constexpr Cell(u64 number) : m_number(number), m_kind(Kind::number) {}
    constexpr Cell(u32 number) : Cell(u64{number}) {}
    constexpr Cell(Bytes size) : Cell(size.value) {}
    constexpr Cell(PhysAddr address) : m_number(address.value), m_kind(Kind::address) {}
    constexpr Cell(VirtAddr address) : m_number(address.value), m_kind(Kind::address) {}

    /// A share, in hundredths of a percent.
    static constexpr Cell percent(u64 hundredths) {
        Cell cell(hundredths);
        cell.m_kind = Kind::percent;
        return cell;
    }

    Kind kind() const { return m_kind; }
    /// Of a text.
    std::string_view text() const {
        CHECK(m_kind == Kind::text);
        return {m_letters, m_number};
    }
    /// Of any other.
    u64 number() const {
        CHECK(m_kind != Kind::text);
        return m_number;
    }

private:
    char const* m_letters = nullptr; ///< of a text
    u64 m_number;                    ///< of a text, how many letters
    Kind m_kind;
};

/// Takes what commands print, in its order. What it is given it keeps no longer than the call, but
/// for columns, which live as long as their table.
class ItemSink {
public:
    virtual void line(std::string_view text) = 0;
    virtual void table(std::span<Column const> columns) = 0;
    /// A row of the table that was begun last, one cell a column.
    virtual void row(std::span<Cell const> cells) = 0;
    /// The command has ended, or ends the machine: nothing may be held back any more.
    virtual void end(u8 status) = 0;

protected:
    ~ItemSink() = default;
};

/// Hands lines on in one piece each, up to `whole_max` letters: who prints at the same time cuts
/// into none.
class WholeLines {
public:
    static constexpr usize whole_max = 256;

    explicit WholeLines(Output const& sink) : m_sink(sink) {}

    void write(std::string_view text);
    void end_line() {
        write("\n");
        flush();
    }
    Output output() {
        return {this, [](void* self, std::string_view text) {
                    static_cast<WholeLines*>(self)->write(text);
                }};
    }

private:
    void flush();

    Output m_sink;
    FixedString<whole_max> m_line;
};

/// For people: lines and aligned tables. Streams; keeps no more than a line and the columns.
class TextPrinter final : public ItemSink {
public:
    explicit TextPrinter(Output const& sink) : m_out(sink) {}

    void line(std::string_view text) override;
    void table(std::span<Column const> columns) override;
    void row(std::span<Cell const> cells) override;
    void end(u8) override {}

private:
    void cell(Column const& column, Cell const& cell, bool last);

    WholeLines m_out;
    std::span<Column const> m_columns;
};

/// For programs: {"command": "...", "output": [{...}, ...], "status": 0}. A line is an object
/// {"text": "..."}. Streams as TextPrinter does.
class JsonPrinter final : public ItemSink {
public:
    explicit JsonPrinter(Output const& sink) : m_sink(sink) {}

    void begin(std::string_view command);
    void line(std::string_view text) override;
    void table(std::span<Column const> columns) override { m_columns = columns; }
    void row(std::span<Cell const> cells) override;
    void end(u8 status) override;

private:
    void begin_object();
    void text(std::string_view text);
    void cell(Cell const& cell);

    Output m_sink;
    bool m_first_object = true;
    std::span<Column const> m_columns;
};

/// Either, as a run was asked for it.
class Printer {
public:
    Printer(Output const& sink, bool json) : m_text(sink), m_json(sink), m_is_json(json) {}

    void begin(std::string_view command);
    ItemSink& items() { return m_is_json ? static_cast<ItemSink&>(m_json) : m_text; }

private:
    TextPrinter m_text;
    JsonPrinter m_json;
    bool m_is_json;
};

/// What a command prints with.
class CommandOutput {
public:
    static constexpr usize columns_max = 8;

    explicit CommandOutput(ItemSink& sink) : m_sink(&sink) {}

    void line(std::string_view text) { m_sink->line(text); }
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
    void row(std::initializer_list<Cell> cells) { row(std::span(cells.begin(), cells.size())); }
    void row(std::span<Cell const> cells);
    void end(u8 status) { m_sink->end(status); }

private:
    static constexpr usize line_max = 512;

    ItemSink* m_sink;
    usize m_columns = 0;
};

} // namespace twofold::boot
