// What a run of a workload is made from: `seed=7 operations=64 keep=0-5,9 threads=2`,
// and, of several machines, `machine=1 machines=3`.
#pragma once

#include "core/base/base.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

namespace twofold::workloads {

inline constexpr u32 operations_max = 4096;
inline constexpr u32 threads_max = 16;
inline constexpr u32 machines_max = 8;

/// A set of operations.
class Kept {
public:
    /// Adds [first, last], which lies below operations_max.
    void add(u32 first, u32 last) {
        CHECK(first <= last && last < operations_max);
        for (u32 operation = first; operation <= last; ++operation) {
            m_words[operation / 64] |= u64{1} << operation % 64;
        }
    }
    bool has(u32 operation) const {
        return operation < operations_max && (m_words[operation / 64] >> operation % 64 & 1) != 0;
    }

private:
    u64 m_words[operations_max / 64]{};
};

struct Options {
    u64 seed = 0;
    u32 operations = 0; ///< 0: as many as the workload says
    u32 threads = 0;    ///< 0: as many as the workload says
    std::optional<Kept> kept;
    u32 machine = 0;  ///< which one this is
    u32 machines = 1; ///< that run it together
};

/// Ranges as people write them: `0-5,9`. Errors: invalid_argument, out_of_range (operations_max).
Result<Kept> parse_kept(std::string_view text);

/// One word `key=value`. Errors: not_found (no such key), invalid_argument, out_of_range.
Result<void> take_option(Options& options, std::string_view word);

} // namespace twofold::workloads
