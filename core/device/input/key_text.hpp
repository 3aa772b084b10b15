// KeyText: what a terminal sends for a key, as xterm does: so whoever reads it needs only
// understand a terminal.
//
// Characters are UTF-8. Control makes control characters of letters and of what xterm makes them
// of; alt puts an escape before. Keys that type nothing send the sequences of a VT220's, with shift
// (1), alt (2) and control (4) added up behind a semicolon. Pure.
//
// Source: T. Dickey, "XTerm Control Sequences", "PC-Style Function Keys" and "VT220-Style Function
// Keys", with the default resources (backarrowKey off: backspace sends 0x7f).
#pragma once

#include "core/device/input/keyboard.hpp"

namespace twofold::device {

/// What cursor keys send: the mode DECCKM, which programs set.
enum class CursorKeys : u8 { normal, application };

class KeyText {
public:
    static constexpr u32 capacity = 16;

    /// Nothing for a key that comes up, or that terminals do not know. O(1).
    explicit KeyText(KeyEvent const& event, CursorKeys cursor_keys = CursorKeys::normal);

    constexpr std::string_view view() const { return {m_bytes, m_size}; }

private:
    void add(std::string_view text);
    void add_number(u32 number);
    void add_character(KeyEvent const& event);
    void add_plain(KeyEvent const& event, char plain);
    void add_letter(char letter, u32 modified, bool has_single_shift);
    void add_function(u32 number, u32 modified);
    void add_key(KeyEvent const& event, CursorKeys cursor_keys);

    char m_bytes[capacity] = {};
    u32 m_size = 0;
};

} // namespace twofold::device
