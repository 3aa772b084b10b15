// Any bytes as what a person types. The first two choose the size; after each byte the screen must
// show the line, or some row must (while hints, lists or a search are to be seen too), and undo, a
// resize and the end of the session must find everything in order.
#include "tests/apps/shell/shown.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

void demand(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    Console console({1u + data[0] % 32, 1u + data[1] % 8});
    console.completer.known = {{"abc", "first"}, {"abd e", ""}, {"\u4E00", ""}};
    if (data[1] >= 128) {
        console.remember({"abc def", "  ", "\u4E00 a\nb"});
    }
    console.begin();
    for (std::uint8_t const byte : std::span(data, size).subspan(2)) {
        std::string const one(1, static_cast<char>(byte));
        console.type(one);
        demand(console.editor.cursor() <= console.editor.line().size());
        demand(console.editor.line().size() <= line_bytes_max);
        demand(console.session.screen.verify().has_value());
    }
    console.resize({1u + data[1] % 32, 1u + data[0] % 8});
    console.type("\x1B[201~\x03"); // ends whatever goes on, a search and a list too
    console.type("ab-\x1B[D");
    demand(console.editor.line() == "ab-" && !difference(console).has_value());
    return 0;
}
