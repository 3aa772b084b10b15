// Table: cells row by row, and the order in which they are shown.
#include "apps/shell/table.hpp"

namespace twofold::shell {

Result<u64> Table::keep_text(std::string_view text) {
    if (text.size() > text_bytes_max - m_letters.size()) {
        return Error::no_space;
    }
    usize const offset = m_letters.size();
    TRY(m_letters.append(text));
    return place_of(offset, text.size());
}

Result<void> Table::add_column(std::string_view name, Kind kind) {
    if (name.empty() || rows() > 0) {
        return Error::invalid_argument;
    }
    if (m_columns.full()) {
        return Error::no_space;
    }
    for (usize i = 0; i < columns(); ++i) {
        if (this->name(i) == name) {
            return Error::already_exists;
        }
    }
    u64 const place = TRY(keep_text(name));
    TRY(m_shown.push_back(static_cast<u8>(m_columns.size())));
    return m_columns.push_back({place, kind});
}

Result<void> Table::add_row(std::span<Value const> values) {
    bool fits = values.size() == m_columns.size() && !values.empty();
    for (usize i = 0; fits && i < values.size(); ++i) {
        fits = values[i].is_text() == (m_columns[i].kind == Kind::text);
    }
    if (!fits) {
        return Error::invalid_argument;
    }
    usize const index = m_cells.size() / m_columns.size();
    if (index == rows_max) {
        return Error::no_space;
    }
    usize const cells_before = m_cells.size();
    usize const letters_before = m_letters.size();
    Result<void> added;
    for (Value const& value : values) {
        Result<u64> const cell =
            value.is_text() ? keep_text(value.text()) : Result<u64>(value.number());
        added = cell ? m_cells.push(cell.value()) : Result<void>(cell.error());
        if (!added) {
            break;
        }
    }
    added = added ? m_order.push(static_cast<u32>(index)) : added;
    if (!added) {
        m_letters.cut(letters_before);
        while (m_cells.size() > cells_before) {
            m_cells.pop();
        }
    }
    return added;
}

int Table::compare(usize column, usize row, usize other_row) const {
    if (kind(column) == Kind::text) {
        return text(row, column).compare(text(other_row, column));
    }
    u64 const a = number(row, column);
    u64 const b = number(other_row, column);
    return a < b ? -1 : a > b ? 1 : 0;
}

void Table::reverse_rows() {
    std::span<u32> const order = m_order.items();
    std::reverse(order.begin(), order.end());
}

/// Places decide where cells are equal, so an unstable sort is stable.
Result<void> Table::sort_rows(usize column, Direction direction) {
    CHECK(column < columns());
    memory::Vector<u32, AnyAllocator> places(allocator());
    memory::Vector<u32, AnyAllocator> sorted(allocator());
    TRY(places.reserve(rows()));
    TRY(sorted.reserve(rows()));
    for (usize row = 0; row < rows(); ++row) {
        TRY(places.push(static_cast<u32>(row)));
    }
    std::span<u32> const all = places.items();
    std::sort(all.begin(), all.end(), [&](u32 a, u32 b) {
        int const order = compare(column, a, b);
        bool const is_before = direction == Direction::up ? order < 0 : order > 0;
        return is_before || (order == 0 && a < b);
    });
    for (u32 const place : all) {
        TRY(sorted.push(m_order[place]));
    }
    m_order = std::move(sorted);
    return {};
}

void Table::select_columns(std::span<usize const> columns) {
    FixedVector<u8, columns_max> selected;
    for (usize const column : columns) {
        Result<void> const added = selected.push_back(m_shown[column]);
        CHECK(added.has_value());
    }
    m_shown = selected;
}

} // namespace twofold::shell
