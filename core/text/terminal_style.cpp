// Select Graphic Rendition: how new characters look. Colours take ";" as xterm does and ":" as
// ISO 8613-6 does.
#include "core/text/terminal.hpp"

#include <algorithm>

namespace twofold::text {

void Terminal::select_rendition() {
    if (m_parameter_count == 0) {
        m_pen = {};
    }
    for (usize at = 0; at < m_parameter_count;) {
        u32 const value = m_parameters[at];
        if (value == 38 || value == 48 || value == 58) {
            at = select_colour(at);
            continue;
        }
        bool const is_no_underline = value == 4 && is_part(at + 1) && m_parameters[at + 1] == 0;
        select_one(is_no_underline ? 24 : value);
        ++at;
        while (is_part(at)) {
            ++at;
        }
    }
}

void Terminal::select_one(u32 value) {
    using enum Attributes;
    // 1 to 9 switch on, 21 to 29 off; bold and faint go off together.
    constexpr Attributes on[] = {none,  bold,  faint,   italic, underline,
                                 blink, blink, inverse, hidden, strike};
    constexpr Attributes off[] = {none,  none, bold | faint, italic, underline,
                                  blink, none, inverse,      hidden, strike};
    if (value == 0) {
        m_pen = {};
    } else if (value <= 9) {
        m_pen.attributes = m_pen.attributes | on[value];
    } else if (value == 21) {
        m_pen.attributes = m_pen.attributes | underline; // twice, and drawn once
    } else if (value >= 20 && value <= 29) {
        m_pen.attributes = without(m_pen.attributes, off[value - 20]);
    } else if (value >= 30 && value <= 37) {
        m_pen.foreground = Colour::palette(static_cast<u8>(value - 30));
    } else if (value == 39) {
        m_pen.foreground = {};
    } else if (value >= 40 && value <= 47) {
        m_pen.background = Colour::palette(static_cast<u8>(value - 40));
    } else if (value == 49) {
        m_pen.background = {};
    } else if (value >= 90 && value <= 97) {
        m_pen.foreground = Colour::palette(static_cast<u8>(value - 90 + 8));
    } else if (value >= 100 && value <= 107) {
        m_pen.background = Colour::palette(static_cast<u8>(value - 100 + 8));
    }
}

/// 38 (text), 48 (background) and 58 (underlines, whose colour is not kept), with what follows:
/// "5;INDEX", "2;R;G;B", "5:INDEX", "2:R:G:B" or "2:SPACE:R:G:B". Returns where the next begins.
usize Terminal::select_colour(usize at) {
    u32 const target = m_parameters[at];
    usize const first = at + 1;
    usize end = first;
    while (is_part(end)) {
        ++end;
    }
    bool const is_one = end > first; // all of it in one parameter, with parts
    usize const given = is_one ? end - first : m_parameter_count - first;
    if (given == 0) {
        return first;
    }
    u32 const kind = m_parameters[first];
    usize const wanted = kind == 5 ? 2 : kind == 2 ? 4 : 1;
    usize const next = is_one ? end : first + std::min(given, wanted);
    if (wanted == 1 || given < wanted) {
        return next;
    }
    usize const value = first + 1 + (is_one && kind == 2 && given > wanted ? 1 : 0);
    bool fits = true;
    for (usize i = value; i < value + wanted - 1; ++i) {
        fits = fits && m_parameters[i] <= 255;
    }
    auto const part = [&](usize index) { return static_cast<u8>(m_parameters[value + index]); };
    if (fits && target != 58) {
        Colour const colour =
            kind == 5 ? Colour::palette(part(0)) : Colour::direct(part(0), part(1), part(2));
        (target == 38 ? m_pen.foreground : m_pen.background) = colour;
    }
    return next;
}

} // namespace twofold::text
