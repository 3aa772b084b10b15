// What happens before each operation of an Atomic: nothing. The simulator's kernel puts a header of
// the same name before this one, which counts time and lets other processors run.
#pragma once

namespace twofold::atomic_point {

inline constexpr bool takes_time = false;

inline void before_load() {}
inline void before_store() {}
inline void before_update() {}

} // namespace twofold::atomic_point
