// Filters: commands that take a table and leave another one: sort, where, select and the like. The
// words are those of the command, unquoted and expanded. docs/shell.md describes each.
//
//     Problem problem;
//     Result<void> const done = apply_filter(table, words, problem); // words: {"head", "3"}
#pragma once

#include "apps/shell/syntax.hpp"
#include "apps/shell/table.hpp"

namespace twofold::shell {

inline constexpr usize head_rows_default = 10;            ///< of head and tail
inline constexpr std::string_view line_column = "line";   ///< of lines as a table
inline constexpr std::string_view table_filter = "table"; ///< behind a command alone
inline constexpr std::string_view page_filter = "page";   ///< of a session

struct Filter {
    std::string_view name;
    std::string_view arguments; ///< e.g. "COLUMN [--reverse]"
    std::string_view summary;
};

/// All of them, by name.
std::span<Filter const> filters();

/// Applies the filter that the first word names. Errors: not_found (there is no such filter);
/// invalid_argument, with a `problem` (its text; there is no column); those of allocate;
/// out_of_range (a sum above 2^64 - 1, with a problem). The table is then as it was. O(n log n) for
/// sort and unique, else O(cells).
Result<void> apply_filter(Table& table, std::span<std::string_view const> words, Problem& problem);

/// A table of one column, "line", with the lines of a text. Errors: those of allocate, no_space.
Result<Table> table_of_lines(AnyAllocator& allocator, std::string_view text);

} // namespace twofold::shell
