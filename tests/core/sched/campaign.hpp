// How long the random tests of policies go on: a fixed sample in a test run, all of it as a
// campaign, with TWOFOLD_CAMPAIGN in the environment (`./twofold test --full`).
#pragma once

#include "core/base/base.hpp"

#include <cstdlib>

namespace twofold::sched {

inline bool is_campaign() {
    return std::getenv("TWOFOLD_CAMPAIGN") != nullptr;
}

/// Random operations of a test beside a model.
inline u64 model_operations() {
    return is_campaign() ? 10'000'000 : TWOFOLD_MODEL_SAMPLE;
}

/// Events of each sequence that a search of a small scope goes through.
inline u32 scope_depth() {
    return is_campaign() ? 7 : TWOFOLD_SCOPE_SAMPLE;
}

} // namespace twofold::sched
