// Any bytes as a line: what parses is printed, and what is printed parses to the same and prints
// the same again. Any bytes as a script come to an end.
#include "apps/shell/script.hpp"
#include "tests/apps/shell/console.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace twofold;
using namespace twofold::shell;

void demand(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text = text_of_bytes(std::as_bytes(std::span(data, size)));
    shell::testing::LimitedAllocator allocator;
    AnyAllocator any(allocator);
    Problem problem;
    Result<ParsedLine> const first = ParsedLine::parse(any, text, problem);
    if (first) {
        Letters printed(any);
        demand(first.value().print(printed).has_value());
        Result<ParsedLine> const second = ParsedLine::parse(any, printed, problem);
        demand(second && first.value() == second.value());
        Letters again(any);
        demand(second.value().print(again).has_value() && again.view() == printed.view());
    } else {
        demand(problem.column > 0 && !problem.text.empty());
    }
    Script script(text);
    usize statements = 0;
    while (true) {
        Result<std::optional<Statement>> const next = script.next(any, problem);
        if (!next || !next.value()) {
            break;
        }
        demand(++statements <= size && next.value()->line > 0);
    }
    return 0;
}
