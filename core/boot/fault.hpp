// Faults that somebody expects: code that probes memory runs inside `catch_fault`, and the fault
// upcall answers by recovering to it. Any other fault is a panic.
#pragma once

#include "core/sync/sync.hpp"
#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"
#include "hal/upcalls.hpp"

#include <optional>
#include <type_traits>

namespace twofold::boot {

/// What a caught fault was.
struct CaughtFault {
    hal::FaultKind kind;
    VirtAddr address;
    hal::PageFaultCause cause;
    u64 instruction;
};

/// One active `catch_fault` on this processor; they nest like calls.
struct RecoveryScope {
    hal::RecoveryPoint point;
    CaughtFault caught;
    RecoveryScope* outer;
    sync::ExecutionContext context; ///< of its caller
};

/// The non-template part of catch_fault: calls function(argument), true if it faulted.
bool call_catching(RecoveryScope& scope, void (*function)(void*), void* argument);

/// Runs `function` and returns the synchronous fault that ended it, or nothing if it returned.
/// Locals that `function` abandons are not destroyed. Faults of what interrupts it are not caught.
/// Any context; needs a kernel. O(1) beside the call.
template<class Function>
std::optional<CaughtFault> catch_fault(Function&& function) {
    RecoveryScope scope{};
    auto call = [](void* argument) {
        (*static_cast<std::remove_reference_t<Function>*>(argument))();
    };
    void const* const argument =
        __builtin_addressof(function); // const may be the caller's, not the object's
    if (call_catching(scope, call, const_cast<void*>(argument))) {
        return scope.caught;
    }
    return std::nullopt;
}

} // namespace twofold::boot
