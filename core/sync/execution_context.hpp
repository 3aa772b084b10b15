// What kind of code a processor runs, and what that may do. The kind is kept in the processor's own
// state and changed by scopes; builds with checks panic where code does what its context forbids,
// whether or not it would have gone wrong this time.
//
// From the outermost to the innermost: a thread is interrupted by work, both can forbid being
// preempted, an interrupt comes over these, and the non-maskable one over everything.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace twofold::sync {

enum class ExecutionContext : u8 {
    thread,     ///< owns its stack and may wait
    work,       ///< the second half of an interrupt handler, on the processor's worker stack
    no_preempt, ///< a thread or work that must stay on its processor; interrupts come
    irq,        ///< the first half of an interrupt handler, or the like: interrupts are off
    nmi,        ///< a non-maskable interrupt: whatever was interrupted may hold any lock
};
inline constexpr usize execution_context_count = 5;

/// The stable name of a context. O(1); any context.
constexpr std::string_view execution_context_name(ExecutionContext context) {
    constexpr std::string_view names[execution_context_count] = {
        "thread", "work", "no-preempt", "irq", "nmi"};
    auto const index = static_cast<usize>(context);
    return index < execution_context_count ? names[index] : "unknown context";
}

/// What code can want to do that not every context allows.
enum class Ability : u8 {
    wait,     ///< until another context has done something: sleep, a call that is waited for
    allocate, ///< from an allocator that may take pages
    share,    ///< use what threads share with interrupts on
    lock,     ///< take a spin lock
};
inline constexpr usize ability_count = 4;

/// Whether code in `context` may do it. An allocator that is meant for interrupts does not ask.
constexpr bool may(ExecutionContext context, Ability ability) {
    switch (ability) {
    case Ability::wait:
        return context <= ExecutionContext::work;
    case Ability::allocate:
    case Ability::share:
        return context <= ExecutionContext::no_preempt;
    case Ability::lock:
        return context <= ExecutionContext::irq;
    }
    return false;
}

/// Whether `inner` may come over `outer`. Work never runs in an interrupt: it starts when the
/// outermost one has ended.
constexpr bool may_enter(ExecutionContext outer, ExecutionContext inner) {
    return inner >= outer;
}

} // namespace twofold::sync
