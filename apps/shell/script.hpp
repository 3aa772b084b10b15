// Script: the lines of a text as a shell is to run them: rows that belong together joined, each
// with its number. Pure; takes no memory but to parse.
#pragma once

#include "apps/shell/syntax.hpp"

#include <optional>

namespace twofold::shell {

struct Statement {
    std::string_view text; ///< its rows, divided by line feeds
    u32 line;              ///< the number of its first row, from 1
};

/// The text outlives it.
class Script {
public:
    static constexpr u32 rows_max = 1000; ///< of one statement

    explicit Script(std::string_view text) : m_rest(text) {}

    /// The next statement that is neither empty nor a comment; none at the end. Errors: those of
    /// ParsedLine::parse; `problem` begins with the number of the line ("line 3: ..."). After an
    /// error the script is at its end. O(rows of the statement * its bytes).
    Result<std::optional<Statement>> next(AnyAllocator& allocator, Problem& problem);

private:
    Result<std::optional<Statement>> fail(Error error, u32 line, Problem& problem);

    std::string_view m_rest;
    u32 m_line = 1;
};

} // namespace twofold::shell
