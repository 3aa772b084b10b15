// Assertions. They stay on in what is shipped; one build (TWOFOLD_CHECKS=OFF) compiles them out and
// proves that none is load-bearing. A failed check is a broken invariant: it never returns.
//
// The composition root defines `check_failed`: the kernel panics, the installed library aborts.
#pragma once

#include <source_location>

namespace twofold {

/// Reports a broken invariant and never returns. Any context. `expression` is a string literal.
[[noreturn]] void
check_failed(char const* expression, std::source_location where = std::source_location::current());

} // namespace twofold

#ifdef TWOFOLD_WITHOUT_CHECKS
namespace twofold {
inline constexpr bool checks_enabled = false; ///< for state that only checks read
} // namespace twofold
#define CHECK(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))
#else
namespace twofold {
inline constexpr bool checks_enabled = true;
} // namespace twofold
/// Panics unless `condition` holds. O(1); any context.
#define CHECK(condition)                                                                           \
    (__builtin_expect(static_cast<bool>(condition), true) ? static_cast<void>(0)                   \
                                                          : ::twofold::check_failed(#condition))
#endif

/// Marks a place that no execution can reach.
#define UNREACHABLE() ::twofold::check_failed("unreachable code was reached")
