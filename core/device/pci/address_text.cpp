// See address_text.hpp.
#include "core/device/pci/address_text.hpp"

namespace twofold::pci {

namespace {

std::optional<u32> digit_of(char letter) {
    if (letter >= '0' && letter <= '9') {
        return static_cast<u32>(letter - '0');
    }
    if (letter >= 'a' && letter <= 'f') {
        return static_cast<u32>(letter - 'a') + 10;
    }
    return letter >= 'A' && letter <= 'F' ? std::optional(static_cast<u32>(letter - 'A') + 10)
                                          : std::nullopt;
}

/// A number of one to `digits_max` digits.
std::optional<u32> number_of(std::string_view text, usize digits_max) {
    u32 value = 0;
    for (char const letter : text) {
        auto const digit = digit_of(letter);
        if (!digit) {
            return std::nullopt;
        }
        value = value << 4 | *digit;
    }
    return text.empty() || text.size() > digits_max ? std::nullopt : std::optional(value);
}

} // namespace

std::optional<Address> parse_address(std::string_view text) {
    usize const dot = text.rfind('.');
    usize const colon = text.rfind(':');
    if (dot == std::string_view::npos || colon == std::string_view::npos || dot < colon) {
        return std::nullopt;
    }
    std::string_view const before = slice(text, 0, colon);
    usize const first = before.rfind(':');
    bool const has_segment = first != std::string_view::npos;
    auto const segment = has_segment ? number_of(slice(before, 0, first), 4) : u32{0};
    auto const bus =
        number_of(has_segment ? slice(before, first + 1, before.size() - first - 1) : before, 2);
    auto const device = number_of(slice(text, colon + 1, dot - colon - 1), 2);
    auto const function = number_of(slice(text, dot + 1, text.size() - dot - 1), 1);
    if (!segment || !bus || !device || !function) {
        return std::nullopt;
    }
    Address const found{
        static_cast<u16>(*segment), static_cast<u8>(*bus), static_cast<u8>(*device),
        static_cast<u8>(*function)};
    return found.is_possible() ? std::optional(found) : std::nullopt;
}

} // namespace twofold::pci
