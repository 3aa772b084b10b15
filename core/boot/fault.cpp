// The fault upcall: recover to whoever asked for it, panic otherwise.
#include "core/boot/fault.hpp"

#include "core/boot/kernel.hpp"
#include "core/boot/panic.hpp"

namespace twofold::boot {

bool call_catching(RecoveryScope& scope, void (*function)(void*), void* argument) {
    hal::InterruptState const interrupts = hal::Interrupt::disable();
    scope.outer = static_cast<RecoveryScope*>(this_cpu().recovery);
    scope.context = this_cpu().context;
    this_cpu().recovery = &scope;
    hal::Interrupt::restore(interrupts);
    bool const returned = hal::Cpu::guarded_call(scope.point, function, argument);
    static_cast<void>(hal::Interrupt::disable()); // where a fault has not done that
    PerCpu& cpu = this_cpu();                     // perhaps another one
    CHECK(cpu.recovery == &scope);
    cpu.recovery = scope.outer;
    cpu.context = scope.context;
    hal::Interrupt::restore(interrupts);
    return !returned;
}

namespace {

/// The innermost scope of who has faulted; null where it has none. What came over the scope's owner
/// is somebody else.
RecoveryScope* scope_of(PerCpu const& cpu) {
    using sync::ExecutionContext;
    auto* const scope = static_cast<RecoveryScope*>(cpu.recovery);
    if (scope == nullptr || cpu.context == scope->context) {
        return scope;
    }
    bool const is_same = cpu.context == ExecutionContext::no_preempt &&
                         (scope->context == ExecutionContext::work) == cpu.work.is_running;
    return is_same ? scope : nullptr;
}

/// Whether the kernel's space has made the access possible. Only what the kernel itself may touch:
/// it reaches other spaces through their copy operations.
bool resolve_page_fault(Kernel& kernel, hal::Fault const& fault) {
    // Whoever holds the lock of the space may never go on, or be the one that a handler has come
    // over.
    if (this_cpu().in_panic || !sync::may(this_cpu().context, sync::Ability::share)) {
        return false;
    }
    bool const is_ours = fault.kind == hal::FaultKind::page && !fault.cause.reserved &&
                         !fault.cause.user && kernel.space.has_value();
    if (!is_ours) {
        return false;
    }
    // With interrupts as they were where it happened: to make a page takes long. The thread stays
    // here, since the stack that a fault is taken on may be the processor's.
    sync::NoPreemptGuard const stays;
    hal::Interrupt::restore(fault.interrupts);
    Result<void> const resolved = kernel.space->resolve(
        fault.address, {.write = fault.cause.write, .execute = fault.cause.execute});
    static_cast<void>(hal::Interrupt::disable());
    return resolved.has_value();
}

/// Whether a non-maskable interrupt is that of another processor, which panics and stops this one.
bool is_stopped_by_panic(Kernel const& kernel, hal::Fault const& fault) {
    u32 const owner = kernel.panicking.load(acquire);
    return fault.kind == hal::FaultKind::non_maskable && owner != Kernel::nobody &&
           owner != this_cpu().id.value;
}

} // namespace

} // namespace twofold::boot

extern "C" hal::FaultAction kernel_fault(hal::Fault const& fault) {
    using namespace twofold;
    using trace::EventKind;
    boot::Kernel* const kernel = boot::try_current_kernel();
    if (kernel != nullptr && boot::is_stopped_by_panic(*kernel, fault)) {
        boot::stop_here();
    }
    if (kernel != nullptr && boot::resolve_page_fault(*kernel, fault)) {
        return {hal::FaultAction::Kind::retry, nullptr};
    }
    boot::RecoveryScope* const scope =
        kernel != nullptr ? boot::scope_of(boot::this_cpu()) : nullptr;
    if (scope == nullptr || fault.kind == hal::FaultKind::double_fault) {
        boot::panic_on_fault(fault);
    }
    kernel->event(EventKind::fault_caught, fault.address.value, static_cast<u64>(fault.kind));
    scope->caught = {fault.kind, fault.address, fault.cause, fault.frame.instruction};
    return {hal::FaultAction::Kind::recover, &scope->point};
}
