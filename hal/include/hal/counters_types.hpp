// The values that the contract of hal/counters.hpp speaks of.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace hal {

using namespace twofold;

/// What a counter counts: the architectural events of SDM volume 3B, section 20.2.1.2.
enum class CounterEvent : u8 {
    cycles,
    instructions,
    cache_references,
    cache_misses,
    branches,
    branch_misses,
};
inline constexpr usize counter_event_count = 6;

constexpr std::string_view counter_event_name(CounterEvent event) {
    constexpr std::string_view names[counter_event_count] = {
        "cycles", "instructions", "cache references", "cache misses", "branches", "branch misses"};
    return names[static_cast<usize>(event)];
}

} // namespace hal
