// Table: what commands answer, as a value: columns of one kind each, rows of cells. Filters
// (filters.hpp) take and leave tables; at the end one is printed for people or as JSON.
//
//     Table table(allocator);
//     TRY(table.add_column("name", Kind::text));
//     TRY(table.add_column("size", Kind::bytes));
//     TRY(table.add_row({"heap", Bytes{1 << 20}}));
//     print_table(table, {.screen_columns = 80}, output);
//
// Cells are never moved: an order of rows and one of columns say what the table shows. Pure.
#pragma once

#include "apps/shell/letters.hpp"
#include "apps/shell/quantity.hpp"

#include <initializer_list>

namespace twofold::shell {

/// A cell as it is handed in.
class Value {
public:
    constexpr Value(std::string_view text) : m_is_text(true), m_text(text) {}
    constexpr Value(char const* text) : Value(text_of(text)) {}
    constexpr Value(u64 number) : m_number(number) {}
    constexpr Value(u32 number) : m_number(number) {}
    constexpr Value(Bytes size) : m_number(size.value) {}
    constexpr Value(PhysAddr address) : m_number(address.value) {}
    constexpr Value(VirtAddr address) : m_number(address.value) {}
    /// A duration, which is not negative.
    constexpr Value(Nanos duration) : m_number(static_cast<u64>(duration.value)) {
        CHECK(duration.value >= 0);
    }

    constexpr bool is_text() const { return m_is_text; }
    constexpr std::string_view text() const { return m_text; }
    constexpr u64 number() const { return m_number; }

private:
    bool m_is_text = false;
    std::string_view m_text;
    u64 m_number = 0;
};

/// The allocator outlives it. Not thread-safe.
class Table {
public:
    static constexpr usize columns_max = 32;
    static constexpr usize rows_max = 100'000;
    static constexpr usize text_bytes_max = usize{16} << 20; ///< of all cells and names together

    explicit Table(AnyAllocator& allocator)
        : m_letters(allocator), m_cells(allocator), m_order(allocator) {}

    /// Another column, of a table without rows. Errors: those of allocate; no_space;
    /// already_exists; invalid_argument (no name, or there are rows).
    Result<void> add_column(std::string_view name, Kind kind);
    /// Another row at the end, with one value for each column that was added. Errors: those of
    /// allocate; no_space; invalid_argument (too many or too few, or text where a number belongs);
    /// the table is then as it was.
    Result<void> add_row(std::span<Value const> values);
    Result<void> add_row(std::initializer_list<Value> values) {
        return add_row(std::span(values.begin(), values.size()));
    }

    usize columns() const { return m_shown.size(); }
    usize rows() const { return m_order.size(); }
    std::string_view name(usize column) const { return text_at(m_columns[m_shown[column]].name); }
    Kind kind(usize column) const { return m_columns[m_shown[column]].kind; }
    /// A cell of a column of text.
    std::string_view text(usize row, usize column) const {
        CHECK(kind(column) == Kind::text);
        return text_at(cell(row, column));
    }
    /// A cell of any other column.
    u64 number(usize row, usize column) const {
        CHECK(kind(column) != Kind::text);
        return cell(row, column);
    }
    /// Less than 0, 0, or more: how two cells of a column compare. Text by its bytes.
    int compare(usize column, usize row, usize other_row) const;
    AnyAllocator& allocator() const { return m_cells.allocator(); }

    // What filters do.
    /// Keeps the rows for which `keeps(row)`. O(rows).
    template<class Keeps>
    void keep_rows(Keeps const& keeps) {
        usize kept = 0;
        for (usize row = 0; row < rows(); ++row) {
            if (keeps(row)) {
                m_order[kept++] = m_order[row];
            }
        }
        while (m_order.size() > kept) {
            m_order.pop();
        }
    }
    void reverse_rows();
    enum class Direction : u8 { up, down };
    /// Stable in both directions. Errors: those of allocate. O(n log n).
    Result<void> sort_rows(usize column, Direction direction);
    /// Shows these columns, in this order; each at most once.
    void select_columns(std::span<usize const> columns);

private:
    struct Column {
        u64 name;
        Kind kind;
    };

    /// Where a text lies, in one word.
    static u64 place_of(usize offset, usize size) { return u64{offset} << 32 | size; }
    std::string_view text_at(u64 place) const {
        return slice(m_letters, place >> 32, place & 0xFFFF'FFFF);
    }
    u64 cell(usize row, usize column) const {
        return m_cells[usize{m_order[row]} * m_columns.size() + m_shown[column]];
    }
    Result<u64> keep_text(std::string_view text);

    FixedVector<Column, columns_max> m_columns;
    FixedVector<u8, columns_max> m_shown; ///< columns in the order of the table
    Letters m_letters;
    memory::Vector<u64, AnyAllocator> m_cells; ///< numbers, and places of text
    memory::Vector<u32, AnyAllocator> m_order; ///< the rows that are left
};

struct PrintOptions {
    /// What rows are cut to; 0: not at all, as for files and other programs.
    u32 screen_columns = 0;
};

/// Prints names and rows in columns, numbers to the right. Controls in cells become "^A". Any
/// context that `out` allows. O(cells).
void print_table(Table const& table, PrintOptions const& options, Output const& out);

/// Prints an array of objects, one a row: numbers, bytes and nanoseconds as exact integers,
/// percentages as exact decimals, addresses as text. O(cells).
void print_json(Table const& table, Output const& out);

/// A cell for people; in `buffer` where it is no text.
std::string_view
cell_text(Table const& table, usize row, usize column, char (&buffer)[quantity_bytes_max]);

} // namespace twofold::shell
