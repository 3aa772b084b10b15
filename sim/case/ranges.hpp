// Sets of numbers as text: 0-5,9.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::sim {

struct Range {
    u64 first = 0;
    u64 last = 0; ///< at least `first`

    bool operator==(Range const&) const = default;
};

/// Invariant: rising, and between two ranges is a number that is in neither.
class Ranges {
public:
    /// No number.
    Ranges() = default;
    /// All below `count`.
    static Ranges below(u64 count);
    /// These numbers, in any order. O(n log n).
    static Ranges of(std::span<u64 const> numbers);
    /// Of numbers and FIRST-LAST with commas between, in any order; no text is no number. Nothing
    /// if `text` is none of that. O(n log n).
    static std::optional<Ranges> parse(std::string_view text);

    /// O(log n).
    bool contains(u64 number) const;
    u64 count() const;
    bool is_empty() const { return m_ranges.empty(); }
    std::span<Range const> all() const { return m_ranges; }
    /// What parse makes the same set of.
    std::string text() const;

    bool operator==(Ranges const&) const = default;

private:
    static Ranges joined(std::vector<Range> all);

    std::vector<Range> m_ranges;
};

/// "7", or "3-7".
std::string text_of(Range range);

} // namespace twofold::sim
