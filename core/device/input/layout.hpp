// Keyboard layouts: which character a key types. They are data, a file each in layouts/, and become
// a table at build time (tools/input/layout_table.py). Pure; what is here is constant.
#pragma once

#include "core/device/input/keys.hpp"

#include <span>
#include <string_view>

namespace twofold::device {

/// What a dead key does with the character behind it.
struct DeadKey {
    struct Composition {
        char32_t letter;
        char32_t composed;
    };

    char32_t spacing; ///< the mark by itself
    std::span<Composition const> compositions;

    /// What `letter` becomes; 0: it cannot be composed. O(compositions).
    constexpr char32_t compose(char32_t letter) const {
        for (Composition const& each : compositions) {
            if (each.letter == letter) {
                return each.composed;
            }
        }
        return letter == U' ' ? spacing : 0;
    }
};

struct Layout {
    static constexpr u32 levels = 4;
    static constexpr u32 usages = 0x90; ///< keys behind these type no characters
    /// A character that is none: the dead key of a number.
    static constexpr char32_t dead_first = 0x11'0000;

    struct Characters {
        char32_t at[levels] = {}; ///< plain, shift, AltGr, both; 0: none
        bool has_case = false;    ///< a letter, which caps lock is for
    };

    /// The dead key that a character stands for; null: it is a character. O(1).
    constexpr DeadKey const* dead(char32_t character) const {
        return character < dead_first ? nullptr : &dead_keys[character - dead_first];
    }
    /// What is on a key. O(1).
    constexpr Characters characters(Key key) const {
        auto const usage = static_cast<usize>(key);
        return usage < keys.size() ? keys[usage] : Characters();
    }

    std::string_view name;
    bool has_alt_gr; ///< which the right alt is
    char32_t keypad_decimal;
    std::span<Characters const> keys; ///< by usage
    std::span<DeadKey const> dead_keys;
};

/// All layouts, by name. O(1).
std::span<Layout const> layouts();

/// The layout of a name. Error::not_found. O(layouts).
inline Result<Layout const*> find_layout(std::string_view name) {
    for (Layout const& layout : layouts()) {
        if (layout.name == name) {
            return &layout;
        }
    }
    return Error::not_found;
}

} // namespace twofold::device
