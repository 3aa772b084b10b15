// Any bytes as what a program writes to a terminal. The first three choose the size and how the
// rest is cut into pieces: whole and in pieces it must leave the same screen, and a sound one, also
// after it was given another size.
#include "core/text/text.hpp"

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::text;

constexpr u32 history_rows = 5;

void demand(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct Session {
    explicit Session(ScreenSize size)
        : memory(Screen::bytes_needed(size, history_rows).value),
          screen(Screen::create(memory, size, history_rows).value()) {}

    std::vector<std::byte> memory;
    Screen screen;
    u64 reported = 0;
    Terminal terminal{screen, {&reported, [](void* sum, std::string_view bytes) {
                                   *static_cast<u64*>(sum) += bytes.size();
                               }}};
};

void check_other_size(Screen const& screen, ScreenSize size) {
    std::vector<std::byte> memory(Screen::bytes_needed(size, history_rows).value);
    Screen const other = Screen::create_resized(screen, memory, size).value();
    demand(other.verify().has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size < 3) {
        return 0;
    }
    auto const bytes = text_of_bytes(std::as_bytes(std::span(data, size)));
    ScreenSize const cells{1u + data[0] % 32, 1u + data[1] % 16};
    usize const piece = 1u + data[2];
    std::string_view const text = slice(bytes, 3, size - 3);
    Session whole(cells);
    whole.terminal.write(text);
    demand(whole.screen.verify().has_value());
    Session cut(cells);
    for (usize at = 0; at < text.size(); at += piece) {
        cut.terminal.write(slice(text, at, std::min(piece, text.size() - at)));
    }
    demand(cut.screen.digest() == whole.screen.digest());
    demand(cut.terminal.title() == whole.terminal.title());
    demand(cut.reported == whole.reported && cut.terminal.bells() == whole.terminal.bells());
    check_other_size(whole.screen, {cells.rows, cells.columns});
    return 0;
}
