// Which columns the tables of commands have, as far as is known without running anything: what was
// printed once is remembered, and what a chain of filters makes of it can be told by its words.
// Names of columns are handed on as one text, a line feed behind each. Pure.
#pragma once

#include "apps/shell/letters.hpp"

#include <span>

namespace twofold::shell {

/// The allocator outlives it. Not thread-safe.
class SeenColumns {
public:
    static constexpr usize tables_max = 64;  ///< the one that was added first makes room
    static constexpr u32 number_max = 8;     ///< further tables of a command are not remembered
    static constexpr usize bytes_max = 1024; ///< of a table's names, line feeds among them

    explicit SeenColumns(AnyAllocator& allocator) : m_allocator(&allocator), m_tables(allocator) {}

    /// A command has printed a table, its first (1) or a further one. What was known of it is
    /// forgotten. Errors: those of allocate; no_space (the bounds above); invalid_argument (a name
    /// with a line feed). O(tables).
    Result<void> note(std::string_view command, u32 table, std::span<std::string_view const> names);
    /// Its columns; empty: it was not seen. Valid until the next change. O(tables).
    std::string_view find(std::string_view command, u32 table) const;
    usize size() const { return m_tables.size(); }

private:
    struct Seen {
        Letters command;
        u32 table;
        Letters names;
    };

    AnyAllocator* m_allocator;
    memory::Vector<Seen, AnyAllocator> m_tables; ///< in the order of their first being seen
};

/// Sets `names` to the columns of what a pipeline (its text, without a `|` at the end) hands on;
/// nothing where that cannot be told. Errors: those of allocate. O(text).
Result<void> columns_of(SeenColumns const& seen, std::string_view pipeline, Letters& names);

/// Calls visit(name) for each of `names`, until it fails. O(names).
template<class Visit>
Result<void> for_each_name(std::string_view names, Visit const& visit) {
    while (!names.empty()) {
        std::string_view const name = names.substr(0, names.find('\n'));
        TRY(visit(name));
        names.remove_prefix(name.size() + 1);
    }
    return {};
}

} // namespace twofold::shell
