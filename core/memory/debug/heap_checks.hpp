// Whether the kernel's heap goes through the debugging layer: the build option TWOFOLD_HEAP_CHECKS,
// on in debug builds. Other builds hold no instruction of it.
#pragma once

namespace twofold::memory {

#ifdef TWOFOLD_WITH_HEAP_CHECKS
inline constexpr bool heap_checks_enabled = true;
#else
inline constexpr bool heap_checks_enabled = false;
#endif

} // namespace twofold::memory
