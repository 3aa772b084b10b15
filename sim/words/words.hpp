// Words that people wrote, as messages repeat them.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace twofold::sim {

/// `text` in quotes, for a message of one line: what cannot be shown becomes a question mark, and
/// what is long is cut. O(1).
std::string shown(std::string_view text);

/// `text` with a question mark in place of each control character. O(n).
std::string one_line(std::string_view text);

/// The name that somebody who wrote `word` is likely to have meant, if there is one: the first of
/// those that the fewest letters put in, left out, changed or swapped with their neighbour turn
/// into it. O(names), as long words are nobody's mistake.
std::optional<std::string_view>
nearest(std::string_view word, std::span<std::string_view const> names);

/// "'WORD' is unknown; did you mean NAME?", or with the names that there are. `what` says what
/// `word` should have been the name of.
std::string
unknown(std::string_view what, std::string_view word, std::span<std::string_view const> names);

/// The names with ", " between them.
std::string listed(std::span<std::string_view const> names);

} // namespace twofold::sim
