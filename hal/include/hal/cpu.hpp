// The processor the caller runs on.
#pragma once

#include "hal/cpu_types.hpp"

#include <concepts>
#include <optional>

#include <machine/cpu.hpp> // the machine that is being built, by include path

namespace hal {

/// Operations on the running processor. Unless said otherwise: any context, O(1).
template<class C>
concept CpuContract = requires(
    void* pointer,
    u64 work,
    unsigned bit,
    StackFrame frame,
    RecoveryPoint& point,
    void (*function)(void*)) {
    /// The number of the processor that runs the caller, dense from 0.
    { C::id() } -> std::same_as<CpuId>;
    /// How many processors the machine has, started or not; at least 1.
    { C::count() } -> std::same_as<u32>;
    /// Identity and features.
    { C::describe() } -> std::same_as<CpuDescription>;
    /// The name of feature number `bit` (0..63), empty where there is none.
    { C::feature_name(bit) } -> std::same_as<std::string_view>;
    /// A hint inside a spin loop.
    { C::pause() } -> std::same_as<void>;
    /// Waits, without using the processor, until an interrupt has been taken or there is input on
    /// a console that raises none. Called with interrupts disabled, and lets them through in such a
    /// way that none is missed between the caller's last look and the wait; disabled again when it
    /// returns. May return early. Before there is an interrupt controller it only pauses.
    { C::idle() } -> std::same_as<void>;
    /// A counter that never goes backwards on one processor; its unit is the machine's own.
    { C::cycle_counter() } -> std::same_as<u64>;
    /// The kernel's per-CPU pointer, and its setter; null until first set.
    { C::per_cpu() } -> std::same_as<void*>;
    { C::set_per_cpu(pointer) } -> std::same_as<void>;
    /// Declares `work` units of computation: virtual time on sim, nothing elsewhere.
    { C::charge(work) } -> std::same_as<void>;
    /// The caller's own frame, and the frame above `frame` (which must be readable memory), nothing
    /// at the end of the chain.
    { C::current_frame() } -> std::same_as<StackFrame>;
    { C::caller(frame) } -> std::same_as<std::optional<StackFrame>>;
    /// Calls function(argument) so that the fault upcall can answer `FaultAction::recover` with
    /// `point`: returns true if the function returned, false if it was recovered from. Destructors
    /// of what was abandoned do not run. Calls may nest, each with its own point.
    { C::guarded_call(point, function, pointer) } -> std::same_as<bool>;
};
static_assert(CpuContract<Cpu>, "the machine's Cpu does not keep the contract");

} // namespace hal
