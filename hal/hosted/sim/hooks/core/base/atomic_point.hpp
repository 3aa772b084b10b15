// Each operation of an Atomic takes virtual time, before which other processors may run. See
// hal/hosted/sim/point.hpp.
#pragma once

#include "hal/hosted/sim/point.hpp"

namespace twofold::atomic_point {

inline constexpr bool takes_time = true;

[[gnu::always_inline]] inline void before_load() {
    hosted::sim_point<hosted::SimOperation::atomic_load>();
}
[[gnu::always_inline]] inline void before_store() {
    hosted::sim_point<hosted::SimOperation::atomic_store>();
}
[[gnu::always_inline]] inline void before_update() {
    hosted::sim_point<hosted::SimOperation::atomic_update>();
}

} // namespace twofold::atomic_point
