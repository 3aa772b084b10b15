// See kept_items.hpp.
#include "apps/shell/kernel/kept_items.hpp"

#include "apps/shell/filters.hpp"

namespace twofold::shell {

namespace {

Kind kind_of_cell(boot::Cell::Kind kind) {
    switch (kind) {
    case boot::Cell::Kind::text:
        return Kind::text;
    case boot::Cell::Kind::number:
        return Kind::number;
    case boot::Cell::Kind::address:
        return Kind::address;
    case boot::Cell::Kind::percent:
        return Kind::percent;
    }
    UNREACHABLE();
}

} // namespace

void KeptItems::line(std::string_view text) {
    if (m_outcome) {
        m_outcome = m_lines.append(text);
    }
    if (m_outcome) {
        m_outcome = m_lines.append("\n");
    }
}

void KeptItems::table(std::span<boot::Column const> columns) {
    if (++m_tables == m_wanted) {
        for (boot::Column const& column : columns) {
            m_columns.push_back(column).value(); // of the same capacity
        }
    }
}

void KeptItems::row(std::span<boot::Cell const> cells) {
    if (m_tables != m_wanted) {
        return;
    }
    for (boot::Cell const& cell : cells) {
        if (m_outcome) {
            m_outcome = keep(cell);
        }
    }
}

Result<void> KeptItems::keep(boot::Cell const& cell) {
    bool const is_text = cell.kind() == boot::Cell::Kind::text;
    usize const offset = m_letters.size();
    if (is_text) {
        TRY(m_letters.append(cell.text()));
    }
    return m_cells.push(
        {.kind = cell.kind(),
         .number = is_text ? cell.text().size() : cell.number(),
         .offset = offset});
}

/// Of all cells of a column, if they are of one kind.
Kind KeptItems::kind_of(usize column) const {
    if (column >= m_cells.size()) {
        return Kind::text; // no rows
    }
    boot::Cell::Kind const first = m_cells[column].kind;
    for (usize at = column; at < m_cells.size(); at += m_columns.size()) {
        if (m_cells[at].kind != first) {
            return Kind::text;
        }
    }
    return kind_of_cell(first);
}

Value KeptItems::value_of(KeptCell const& cell, Kind kind, std::span<char> buffer) const {
    if (cell.kind == boot::Cell::Kind::text) {
        return slice(m_letters, cell.offset, cell.number);
    }
    return kind == Kind::text ? Value(format_quantity(kind_of_cell(cell.kind), cell.number, buffer))
                              : Value(cell.number);
}

Result<Table> KeptItems::take() const {
    TRY(m_outcome);
    if (m_columns.empty()) {
        return m_wanted == 1 ? table_of_lines(m_cells.allocator(), m_lines.view())
                             : Result<Table>(Error::not_found);
    }
    Table table(m_cells.allocator());
    FixedVector<Kind, boot::CommandOutput::columns_max> kinds;
    for (usize column = 0; column < m_columns.size(); ++column) {
        Kind const kind = kind_of(column);
        kinds.push_back(kind).value();
        TRY(table.add_column(m_columns[column].name, kind));
    }
    for (usize at = 0; at < m_cells.size(); at += m_columns.size()) {
        char buffers[boot::CommandOutput::columns_max][quantity_bytes_max];
        FixedVector<Value, boot::CommandOutput::columns_max> values;
        for (usize column = 0; column < m_columns.size(); ++column) {
            values
                .push_back(
                    value_of(m_cells[at + column], kinds[column], std::span(buffers[column])))
                .value();
        }
        TRY(table.add_row(values.items()));
    }
    return table;
}

} // namespace twofold::shell
