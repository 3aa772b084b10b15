// Which known name a wrong one was meant to be: "unknown command 'pss'; did you mean 'ps'?".
//
// Source: the optimal string alignment distance (F. Damerau, "A technique for computer detection
// and correction of spelling errors", CACM 7(3), 1964; V. Levenshtein, 1966): insertions,
// deletions, exchanges of a byte and swaps of neighbours, no byte edited twice. Pure; any context.
#pragma once

#include "core/base/base.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace twofold::shell {

inline constexpr usize suggestion_bytes_max = 64; ///< longer names are near to none

/// The distance between two names, or nothing where it is more than `bound`. O(a * b).
constexpr std::optional<u32> edit_distance(std::string_view a, std::string_view b, u32 bound) {
    if (a.size() > suggestion_bytes_max || b.size() > suggestion_bytes_max) {
        return std::nullopt;
    }
    u32 rows[3][suggestion_bytes_max + 1] = {}; // of the matrix; row i lies in rows[i % 3]
    for (usize i = 0; i <= a.size(); ++i) {
        u32(&row)[suggestion_bytes_max + 1] = rows[i % 3];
        row[0] = static_cast<u32>(i);
        for (usize j = 1; j <= b.size(); ++j) {
            if (i == 0) {
                row[j] = static_cast<u32>(j);
                continue;
            }
            auto const& above = rows[(i + 2) % 3];
            u32 const exchanged = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, exchanged});
            bool const is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap) {
                row[j] = std::min(row[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    u32 const distance = rows[a.size() % 3][b.size()];
    return distance <= bound ? std::optional(distance) : std::nullopt;
}

/// Finds the nearest of the names that are offered; of equals the first. A third of the bytes may
/// be wrong, and one at least.
class Suggestion {
public:
    constexpr explicit Suggestion(std::string_view wanted)
        : m_wanted(wanted), m_bound(std::max<u32>(static_cast<u32>(wanted.size()) / 3, 1)) {}

    constexpr void offer(std::string_view name) {
        std::optional<u32> const distance = edit_distance(m_wanted, name, m_bound);
        if (distance && (m_best.empty() || *distance < m_distance)) {
            m_best = name;
            m_distance = *distance;
        }
    }
    /// Empty where none is near.
    constexpr std::string_view best() const { return m_best; }

private:
    std::string_view m_wanted;
    std::string_view m_best;
    u32 m_bound;
    u32 m_distance = 0;
};

} // namespace twofold::shell
