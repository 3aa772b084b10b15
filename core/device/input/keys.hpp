// Keys by what they are on the keyboard, not by what is written on them: the numbers of USB HID,
// and what a PC keyboard sends for each. A fact of hardware and nothing else, so the hosted
// machine's keyboard uses it, too. Pure and constant.
//
// A key is `make` when it goes down and `break` when it comes up. Set 1 has the code itself and the
// code with bit 7; set 2, the code itself and the code behind 0xf0. Keys that PCs got later have
// the prefix 0xe0. Print Screen goes along with a shift that nobody holds; Pause is announced by
// 0xe1 and sends everything when it goes down.
//
// The table is keys.toml. Sources: see there.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace twofold::device {

/// A key by its usage of the page "Keyboard/Keypad" (USB HID Usage Tables 1.4, chapter 10).
enum class Key : u8 {
    none = 0,
    a = 0x04,
    b,
    c,
    d,
    e,
    f,
    g,
    h,
    i,
    j,
    k,
    l,
    m,
    n,
    o,
    p,
    q,
    r,
    s,
    t,
    u,
    v,
    w,
    x,
    y,
    z,
    one,
    two,
    three,
    four,
    five,
    six,
    seven,
    eight,
    nine,
    zero,
    enter,
    escape,
    backspace,
    tab,
    space,
    minus,
    equal,
    left_bracket,
    right_bracket,
    backslash,
    non_us_hash,
    semicolon,
    apostrophe,
    grave,
    comma,
    period,
    slash,
    caps_lock,
    f1,
    f2,
    f3,
    f4,
    f5,
    f6,
    f7,
    f8,
    f9,
    f10,
    f11,
    f12,
    print_screen,
    scroll_lock,
    pause,
    insert,
    home,
    page_up,
    delete_forward,
    end,
    page_down,
    right,
    left,
    down,
    up,
    num_lock,
    keypad_slash,
    keypad_asterisk,
    keypad_minus,
    keypad_plus,
    keypad_enter,
    keypad_1,
    keypad_2,
    keypad_3,
    keypad_4,
    keypad_5,
    keypad_6,
    keypad_7,
    keypad_8,
    keypad_9,
    keypad_0,
    keypad_period,
    non_us_backslash,
    application,
    power,
    keypad_equal,
    f13,
    f14,
    f15,
    f16,
    f17,
    f18,
    f19,
    f20,
    f21,
    f22,
    f23,
    f24,
    mute = 0x7f,
    volume_up,
    volume_down,
    keypad_comma = 0x85,
    international_1 = 0x87,
    international_2,
    international_3,
    international_4,
    international_5,
    left_control = 0xe0,
    left_shift,
    left_alt,
    left_gui,
    right_control,
    right_shift,
    right_alt,
    right_gui
};

/// How a keyboard encodes keys: what the first PC's sent, and what an AT's sends.
enum class ScancodeSet : u8 { one = 1, two = 2 };

/// What a key sends at one stroke.
struct ScancodeBytes {
    static constexpr u32 capacity = 8;

    u8 bytes[capacity] = {};
    u32 count = 0;

    constexpr std::span<u8 const> view() const { return {bytes, count}; }
    constexpr void add(u8 byte) { bytes[count++] = byte; }
};

/// What the keyboard sends when the key goes down or up. Nothing for what is no key, and where
/// Pause comes up. O(1).
ScancodeBytes encode(Key key, bool pressed, ScancodeSet set);

/// The key that sends `code`, behind the prefix 0xe0 if `extended`; Key::none: no key does. Of set
/// 1 the code without bit 7. O(1).
Key key_of(ScancodeSet set, bool extended, u8 code);

/// Whether the code, behind 0xe0, is a shift that goes along with a key and means nothing. O(1).
bool is_fake_shift(ScancodeSet set, u8 code);

/// The two codes that follow 0xe1 when Pause goes down; of set 1 without bit 7. O(1).
std::span<u8 const, 2> pause_codes(ScancodeSet set);

/// What the controller makes of a byte of set 2 where it translates: set 1, in which 0xf0 becomes
/// bit 7 of what follows. A byte that is no key's is passed on. O(1).
u8 translate(u8 byte);

/// The key's name, as in keys.toml; empty for what is no key. Lives for ever. O(1).
std::string_view key_name(Key key);

namespace detail {

/// The table that is made of keys.toml.
struct KeyCodes {
    std::string_view name;
    u16 set_1 = 0; ///< with 0xe0 above the code; 0: none
    u16 set_2 = 0;
};
/// By usage; 256 of them.
extern KeyCodes const key_codes[];
/// By code, those behind 0xe0 in the second half: 256 of set 1, 512 of set 2.
extern Key const keys_of_set_1[];
extern Key const keys_of_set_2[];
extern u8 const codes_of_pause[2][2];
/// What each byte below 0x85 becomes.
extern u8 const translations[];

inline constexpr u32 translated_bytes = 0x85;

} // namespace detail

} // namespace twofold::device
