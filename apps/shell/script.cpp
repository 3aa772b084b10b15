// Script: a statement takes rows until it parses.
#include "apps/shell/script.hpp"

namespace twofold::shell {

Result<std::optional<Statement>> Script::fail(Error error, u32 line, Problem& problem) {
    FixedString<decltype(problem.text)::capacity()> const said = problem.text;
    char text[said.capacity()];
    std::string_view const numbered =
        format_to(std::span(text), "line {}: {}", line, said.view()).text;
    problem.text.clear();
    Result<void> const kept = problem.text.append(numbered);
    CHECK(kept.has_value());
    m_rest = {};
    return error;
}

Result<std::optional<Statement>> Script::next(AnyAllocator& allocator, Problem& problem) {
    while (!m_rest.empty()) {
        u32 const first_line = m_line;
        usize end = 0;
        for (u32 rows = 1;; ++rows) {
            while (end < m_rest.size() && m_rest[end] != '\n') {
                ++end;
            }
            std::string_view const text = slice(m_rest, 0, end);
            Result<ParsedLine> const parsed = ParsedLine::parse(allocator, text, problem);
            bool const is_last = end == m_rest.size();
            bool const goes_on = !parsed && parsed.error() == Error::truncated;
            if (!parsed && (!goes_on || is_last || rows == rows_max)) {
                return fail(parsed.error(), goes_on ? first_line : m_line, problem);
            }
            end += is_last ? 0 : 1;
            ++m_line;
            if (!goes_on) {
                m_rest = slice(m_rest, end, m_rest.size() - end);
                if (parsed.value().pipelines().empty()) {
                    break;
                }
                return std::optional(Statement{text, first_line});
            }
        }
    }
    return std::optional<Statement>();
}

} // namespace twofold::shell
