// The command line of the start. See command_line.hpp.
#include "hal/x86_64/entry/command_line.hpp"

namespace metal {

namespace {

/// The value of the last word `name=value`, empty without one. What cannot be read as words ends
/// the search: the kernel, which reads all of the line, complains about it.
std::string_view
option_value(std::string_view line, std::span<char> scratch, std::string_view name) {
    Tokenizer words(line, scratch, "");
    std::string_view value;
    for (;;) {
        Result<Token> const token = words.next();
        if (!token || token.value().kind == Token::Kind::end) {
            return value;
        }
        std::string_view const word = token.value().text;
        if (word.starts_with(name) && word.substr(name.size()).starts_with('=')) {
            value = word.substr(name.size() + 1);
        }
    }
}

bool is_escaped_by_grub(char letter) {
    return letter == '"' || letter == '\'' || letter == '\\';
}

} // namespace

std::string_view without_grub_quotes(std::string_view line, std::span<char> out) {
    CHECK(out.size() >= line.size());
    usize length = 0;
    for (usize at = 0; at < line.size(); ++at) {
        bool const is_pair =
            line[at] == '\\' && at + 1 < line.size() && is_escaped_by_grub(line[at + 1]);
        if (is_pair) {
            ++at; // the second of the pair is the letter
        } else if (line[at] == '"') {
            continue; // GRUB's own: one of the argument would be the second of a pair
        }
        out[length++] = line[at];
    }
    return {out.data(), length};
}

Result<VirtAddr>
image_base(std::string_view line, std::span<char> scratch, Bytes image_size, Placement placement) {
    CHECK(image_size <= placement.room && scratch.size() >= line.size());
    constexpr u64 alignment = u64{2} << 20;
    std::string_view const text = option_value(line, scratch, "image_base");
    if (text.empty()) {
        return placement.otherwise;
    }
    u64 const base = TRY(parse_unsigned(text));
    if (!is_aligned(base, alignment)) {
        return Error::invalid_argument;
    }
    if (base < placement.lowest.value ||
        base - placement.lowest.value > placement.room.value - image_size.value) {
        return Error::out_of_range;
    }
    return VirtAddr{base};
}

} // namespace metal
