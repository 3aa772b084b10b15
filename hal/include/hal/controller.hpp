// The interrupt controllers: which line or device raises which vector on which processor, and how
// one processor interrupts another. What a vector means is the kernel's affair (core/processor).
//
// An interrupt arrives as the upcall kernel_interrupt, with interrupts disabled, and must be
// acknowledged once by the processor that took it, unless it is spurious.
#pragma once

#include "hal/interrupt_types.hpp"

#include <concepts>
#include <optional>

#include <machine/controller.hpp>

namespace hal {

/// Unless said otherwise: any context, O(1). Before `adopt` has succeeded no interrupt arrives, and
/// what can fail answers invalid_state.
template<class C>
concept ControllerContract =
    requires(InterruptPlan const& plan, Line line, Route const& route, CpuId cpu, Vector vector) {
        /// Takes over the controllers as firmware describes them: every line masked, the legacy
        /// ones silenced, this processor's own controller ready. Once, on the boot processor,
        /// interrupts disabled. A processor that is started later readies its own before it enters
        /// the kernel. Errors: not_supported (there is none the machine can drive), corrupted
        /// (registers do not answer as such a controller does).
        { C::adopt(plan) } -> std::same_as<Result<void>>;
        /// What is driven, for people: "xAPIC", "x2APIC", "hosted".
        { C::kind() } -> std::same_as<std::string_view>;
        /// The vectors that the kernel may give out.
        { C::vectors() } -> std::same_as<VectorRange>;
        /// The vector by which an interrupt arrives that nobody raised; it is not acknowledged.
        { C::spurious() } -> std::same_as<Vector>;
        /// How many lines there are: 0 to lines() - 1, with gaps where no controller serves one.
        { C::lines() } -> std::same_as<u32>;
        /// Makes `line` raise a vector on a processor; it stays masked. Errors: out_of_range (no
        /// controller serves the line, no such processor), invalid_argument (not a vector that may
        /// be given out).
        { C::route(line, route) } -> std::same_as<Result<void>>;
        /// Lets a routed line through, or holds it back. An edge that comes while a line is masked
        /// is lost, a level stays. Errors: out_of_range.
        { C::unmask(line) } -> std::same_as<Result<void>>;
        { C::mask(line) } -> std::same_as<Result<void>>;
        /// What a device has to write to raise `vector` on `cpu`. Errors: out_of_range,
        /// invalid_argument, not_supported (the processor cannot be addressed so).
        { C::message(cpu, vector) } -> std::same_as<Result<Message>>;
        /// Raises `vector` on a processor that runs, the caller's own included. One that is pending
        /// there already is not doubled. `vector` is one that may be given out; CHECKed.
        { C::send(cpu, vector) } -> std::same_as<void>;
        /// Raises a non-maskable interrupt on another processor (FaultKind::non_maskable). False
        /// where the machine has none.
        { C::send_non_maskable(cpu) } -> std::same_as<bool>;
        /// The interrupt that was taken last on this processor is dealt with. In kernel_interrupt.
        { C::acknowledge(vector) } -> std::same_as<void>;
        /// Whether `vector` waits to be taken by this processor.
        { C::is_pending(vector) } -> std::same_as<bool>;
    };
static_assert(
    ControllerContract<Controller>, "the machine's Controller does not keep the contract");

} // namespace hal
