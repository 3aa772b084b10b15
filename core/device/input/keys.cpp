// See keys.hpp.
#include "core/device/input/keys.hpp"

namespace twofold::device {

namespace {

constexpr u8 extended_prefix = 0xe0;
constexpr u8 announced_prefix = 0xe1;
constexpr u8 break_prefix = 0xf0; // of set 2
constexpr u8 break_bit = 0x80;    // of set 1
constexpr u8 fake_shifts[2][2] = {{0x2a, 0x36}, {0x12, 0x59}};

constexpr usize index_of(ScancodeSet set) {
    return set == ScancodeSet::one ? 0 : 1;
}

void add_code(ScancodeBytes& out, bool extended, u8 code, bool pressed, ScancodeSet set) {
    if (extended) {
        out.add(extended_prefix);
    }
    if (set == ScancodeSet::two && !pressed) {
        out.add(break_prefix);
    }
    bool const has_bit = set == ScancodeSet::one && !pressed;
    out.add(has_bit ? static_cast<u8>(code | break_bit) : code);
}

ScancodeBytes encode_pause(ScancodeSet set) {
    ScancodeBytes out;
    for (bool const pressed : {true, false}) {
        out.add(announced_prefix);
        for (u8 const code : pause_codes(set)) {
            add_code(out, false, code, pressed, set);
        }
    }
    return out;
}

} // namespace

ScancodeBytes encode(Key key, bool pressed, ScancodeSet set) {
    if (key == Key::pause) {
        return pressed ? encode_pause(set) : ScancodeBytes();
    }
    auto const& codes = detail::key_codes[static_cast<u8>(key)];
    u16 const code = set == ScancodeSet::one ? codes.set_1 : codes.set_2;
    ScancodeBytes out;
    if (code == 0) {
        return out;
    }
    bool const has_shift = key == Key::print_screen;
    u8 const shift = fake_shifts[index_of(set)][0];
    if (has_shift && pressed) {
        add_code(out, true, shift, pressed, set);
    }
    add_code(out, code > 0xff, static_cast<u8>(code), pressed, set);
    if (has_shift && !pressed) {
        add_code(out, true, shift, pressed, set);
    }
    return out;
}

Key key_of(ScancodeSet set, bool extended, u8 code) {
    if (set == ScancodeSet::one) {
        constexpr usize half = 128;
        return code < half ? detail::keys_of_set_1[code + (extended ? half : 0)] : Key::none;
    }
    constexpr usize half = 256;
    return detail::keys_of_set_2[code + (extended ? half : 0)];
}

bool is_fake_shift(ScancodeSet set, u8 code) {
    auto const& known = fake_shifts[index_of(set)];
    return code == known[0] || code == known[1];
}

std::span<u8 const, 2> pause_codes(ScancodeSet set) {
    return std::span<u8 const, 2>(detail::codes_of_pause[index_of(set)]);
}

u8 translate(u8 byte) {
    return byte < detail::translated_bytes ? detail::translations[byte] : byte;
}

std::string_view key_name(Key key) {
    return detail::key_codes[static_cast<u8>(key)].name;
}

} // namespace twofold::device
