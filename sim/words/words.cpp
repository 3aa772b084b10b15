// Words in messages. See words.hpp.
#include "sim/words/words.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace twofold::sim {

namespace {

constexpr usize shown_max = 60;
constexpr usize word_max = 40; ///< longer ones are compared with nothing

/// Optimal string alignment: the Damerau-Levenshtein distance in which no letter is changed twice
/// (F. Damerau, CACM 7(3), 1964). Both at most word_max long.
usize distance(std::string_view left, std::string_view right) {
    using Row = std::array<usize, word_max + 1>;
    Row before_last{};
    Row last{};
    Row row{};
    for (usize j = 0; j <= right.size(); ++j) {
        row[j] = j;
    }
    for (usize i = 1; i <= left.size(); ++i) {
        before_last = last;
        last = row;
        row[0] = i;
        for (usize j = 1; j <= right.size(); ++j) {
            usize const changed = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, changed});
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[right.size()];
}

} // namespace

std::string shown(std::string_view text) {
    std::string made = "'";
    for (char const letter : text.substr(0, shown_max)) {
        bool const is_shown = letter >= ' ' && letter <= '~';
        made += is_shown ? letter : '?';
    }
    return made + (text.size() > shown_max ? "...'" : "'");
}

std::string one_line(std::string_view text) {
    std::string made(text);
    std::ranges::replace_if(made, [](char letter) { return letter >= 0 && letter < ' '; }, '?');
    return made;
}

std::optional<std::string_view>
nearest(std::string_view word, std::span<std::string_view const> names) {
    constexpr usize letters_a_mistake = 3;
    std::optional<std::string_view> found;
    if (word.size() > word_max) {
        return found;
    }
    usize least = std::max<usize>(word.size() / letters_a_mistake, 1) + 1;
    for (std::string_view const name : names) {
        usize const wrong = name.size() > word_max ? least : distance(word, name);
        if (wrong < least) {
            least = wrong;
            found = name;
        }
    }
    return found;
}

std::string listed(std::span<std::string_view const> names) {
    return fmt::format("{}", fmt::join(names, ", "));
}

std::string
unknown(std::string_view what, std::string_view word, std::span<std::string_view const> names) {
    std::optional<std::string_view> const meant = nearest(word, names);
    return fmt::format(
        "the {} {} is unknown; {}", what, shown(word),
        meant ? fmt::format("did you mean {}?", *meant)
              : fmt::format("there are {}", listed(names)));
}

} // namespace twofold::sim
