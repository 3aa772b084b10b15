// Sets of numbers as text. See ranges.hpp.
#include "sim/case/ranges.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace twofold::sim {

namespace {

bool take_number(std::string_view& text, u64& number) {
    auto const [stop, error] = std::from_chars(text.begin(), text.end(), number);
    text.remove_prefix(static_cast<usize>(stop - text.begin()));
    return error == std::errc{};
}

std::optional<Range> parse_range(std::string_view text) {
    Range range;
    if (!take_number(text, range.first)) {
        return std::nullopt;
    }
    range.last = range.first;
    if (text.starts_with('-')) {
        text.remove_prefix(1);
        if (!take_number(text, range.last)) {
            return std::nullopt;
        }
    }
    bool const is_whole = text.empty() && range.first <= range.last;
    return is_whole ? std::optional(range) : std::nullopt;
}

} // namespace

Ranges Ranges::below(u64 count) {
    Ranges made;
    if (count > 0) {
        made.m_ranges.push_back({0, count - 1});
    }
    return made;
}

std::optional<Ranges> Ranges::parse(std::string_view text) {
    std::vector<Range> all;
    usize begin = 0;
    while (!text.empty() && begin <= text.size()) {
        usize const end = std::min(text.find(',', begin), text.size());
        std::optional<Range> const range = parse_range(text.substr(begin, end - begin));
        if (!range) {
            return std::nullopt;
        }
        all.push_back(*range);
        begin = end + 1;
    }
    return joined(std::move(all));
}

Ranges Ranges::of(std::span<u64 const> numbers) {
    std::vector<Range> all;
    for (u64 const number : numbers) {
        all.push_back({number, number});
    }
    return joined(std::move(all));
}

Ranges Ranges::joined(std::vector<Range> all) {
    std::ranges::sort(all, {}, &Range::first);
    Ranges made;
    for (Range const& range : all) {
        bool const is_joined =
            !made.m_ranges.empty() && (range.first <= made.m_ranges.back().last ||
                                       range.first - made.m_ranges.back().last == 1);
        if (is_joined) {
            made.m_ranges.back().last = std::max(made.m_ranges.back().last, range.last);
        } else {
            made.m_ranges.push_back(range);
        }
    }
    return made;
}

bool Ranges::contains(u64 number) const {
    auto const behind = std::ranges::upper_bound(m_ranges, number, {}, &Range::first);
    return behind != m_ranges.begin() && number <= std::prev(behind)->last;
}

u64 Ranges::count() const {
    u64 count = 0;
    for (Range const& range : m_ranges) {
        count += range.last - range.first + 1;
    }
    return count;
}

std::string Ranges::text() const {
    std::string text;
    for (Range const& range : m_ranges) {
        text += (text.empty() ? "" : ",") + text_of(range);
    }
    return text;
}

std::string text_of(Range range) {
    return range.first == range.last ? fmt::format("{}", range.first)
                                     : fmt::format("{}-{}", range.first, range.last);
}

} // namespace twofold::sim
