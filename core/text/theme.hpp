// Themes: what the colours that a terminal names look like. They are data, a file each in themes/,
// and become a table at build time (tools/text/theme_table.py). Pure; what is here is constant.
#pragma once

#include "core/text/cell.hpp"

#include <span>

namespace twofold::text {

/// A colour as pixels have it: 0x00RRGGBB.
using Rgb = u32;

struct Theme {
    static constexpr u32 palette_size = 16;

    /// What a colour of a cell looks like; `standard` for the kind of that name. O(1).
    constexpr Rgb rgb(Colour colour, Rgb standard) const {
        switch (colour.kind()) {
        case Colour::Kind::standard:
            return standard;
        case Colour::Kind::palette:
            return rgb_of_index(colour.index());
        case Colour::Kind::direct:
            return colour.rgb();
        }
        return standard;
    }

    std::string_view name;
    Rgb text;
    Rgb background;
    Rgb cursor;
    Rgb selection; ///< the ground of selected text
    Rgb palette[palette_size];

private:
    /// xterm's 256 colours: the theme's sixteen, a cube of six levels, and 24 shades of grey.
    constexpr Rgb rgb_of_index(u32 index) const {
        constexpr u32 cube_first = 16;
        constexpr u32 grey_first = 232;
        constexpr u32 levels[] = {0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF};
        if (index < cube_first) {
            return palette[index];
        }
        if (index < grey_first) {
            u32 const place = index - cube_first;
            return levels[place / 36] << 16 | levels[place / 6 % 6] << 8 | levels[place % 6];
        }
        return (8 + 10 * (index - grey_first)) * 0x01'0101;
    }
};

/// All themes, by name. O(1).
std::span<Theme const> themes();

/// The theme of a name. Error::not_found. O(themes).
inline Result<Theme const*> find_theme(std::string_view name) {
    for (Theme const& theme : themes()) {
        if (theme.name == name) {
            return &theme;
        }
    }
    return Error::not_found;
}

} // namespace twofold::text
