// What a command has printed, kept for the next one of a pipe: one of its tables, or its lines.
#pragma once

#include "apps/shell/table.hpp"
#include "core/boot/boot.hpp"

namespace twofold::shell {

/// Keeps the table of a number (1: the first), and all lines. Where there is no such table, the
/// lines are one.
class KeptItems final : public boot::ItemSink {
public:
    KeptItems(AnyAllocator& allocator, u32 wanted_table)
        : m_letters(allocator), m_cells(allocator), m_lines(allocator), m_wanted(wanted_table) {}

    void line(std::string_view text) override;
    void table(std::span<boot::Column const> columns) override;
    void row(std::span<boot::Cell const> cells) override;
    void end(u8) override {}

    /// As a value. A column whose cells are of several kinds becomes one of text. Errors: what has
    /// gone wrong meanwhile (out_of_memory); not_found (there is no such table, and the first is
    /// not meant); those of Table.
    Result<Table> take() const;

    /// Each with its line end.
    std::string_view lines() const { return m_lines.view(); }

private:
    struct KeptCell {
        boot::Cell::Kind kind;
        u64 number; ///< of a text, its bytes
        u64 offset; ///< of a text, in the letters
    };

    Result<void> keep(boot::Cell const& cell);
    Kind kind_of(usize column) const;
    Value value_of(KeptCell const& cell, Kind kind, std::span<char> buffer) const;

    Letters m_letters;
    memory::Vector<KeptCell, AnyAllocator> m_cells;
    Letters m_lines;
    u32 m_wanted;
    u32 m_tables = 0;
    FixedVector<boot::Column, boot::CommandOutput::columns_max> m_columns;
    Result<void> m_outcome;
};

} // namespace twofold::shell
