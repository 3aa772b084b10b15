// Pieces of what programs might write to a terminal, drawn from a seed: text, controls, sequences
// with likely parameters, and noise.
#pragma once

#include "core/base/base.hpp"

#include <random>
#include <string>

namespace twofold::text::testing {

class RandomBytes {
public:
    explicit RandomBytes(u32 seed) : m_random(seed) {}

    u32 below(u32 end) { return static_cast<u32>(m_random() % end); }

    std::string part() {
        switch (below(8)) {
        case 0:
            return std::string(1, "\a\b\t\n\v\f\r"[below(7)]);
        case 1:
            return std::string("\x1B") + "78DEMHc"[below(below(50) == 0 ? 7 : 6)];
        case 2:
            return noise();
        case 3:
            return text();
        case 4:
            return "\x1B[" + numbers(2) + "m";
        case 5:
            return mode();
        default:
            return "\x1B[" + numbers(2) + "@ABCDEFGHIJKLMPSTXZ`adefgru"[below(26)];
        }
    }

private:
    std::string text() {
        std::string letters;
        constexpr char const* pieces[] = {"a", "bc", " ", "\u00E9", "\u4E00", "\u0301", "defgh"};
        for (u32 count = 1 + below(6); count > 0; --count) {
            letters += pieces[below(7)];
        }
        return letters;
    }
    std::string noise() {
        std::string bytes;
        for (u32 count = below(5); count > 0; --count) {
            bytes += static_cast<char>(m_random());
        }
        return bytes;
    }
    std::string numbers(u32 count) {
        std::string list;
        for (u32 i = below(count + 1); i > 0; --i) {
            list += std::to_string(below(4) == 0 ? below(120) : below(8)) + (i > 1 ? ";" : "");
        }
        return list;
    }
    std::string mode() {
        constexpr char const* modes[] = {"?6", "?7", "?47", "?1047", "?1048", "?1049", "4", "20"};
        return std::string("\x1B[") + modes[below(8)] + "hl"[below(2)];
    }

    std::mt19937 m_random;
};

} // namespace twofold::text::testing
