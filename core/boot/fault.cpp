// The fault upcall: recover to whoever asked for it, panic otherwise.
#include "core/boot/fault.hpp"

#include "core/boot/kernel.hpp"
#include "core/boot/panic.hpp"

namespace twofold::boot {

bool call_catching(RecoveryScope& scope, void (*function)(void*), void* argument) {
    PerCpu& cpu = current_kernel().boot_cpu;
    hal::InterruptState const interrupts = hal::Interrupt::state();
    scope.outer = cpu.recovery;
    cpu.recovery = &scope;
    bool const returned = hal::Cpu::guarded_call(scope.point, function, argument);
    CHECK(cpu.recovery == &scope);
    cpu.recovery = scope.outer;
    hal::Interrupt::restore(interrupts); // a fault arrives with interrupts disabled
    return !returned;
}

namespace {

/// Whether the kernel's space has made the access possible. Only what the kernel itself may touch:
/// it reaches other spaces through their copy operations.
bool resolve_page_fault(Kernel& kernel, hal::Fault const& fault) {
    bool const is_ours = fault.kind == hal::FaultKind::page && !fault.cause.reserved &&
                         !fault.cause.user && kernel.space.has_value();
    return is_ours &&
           kernel.space
               ->resolve(
                   fault.address, {.write = fault.cause.write, .execute = fault.cause.execute})
               .has_value();
}

} // namespace

} // namespace twofold::boot

extern "C" hal::FaultAction kernel_fault(hal::Fault const& fault) {
    using namespace twofold;
    using trace::EventKind;
    boot::Kernel* const kernel = boot::try_current_kernel();
    if (kernel != nullptr && boot::resolve_page_fault(*kernel, fault)) {
        return {hal::FaultAction::Kind::retry, nullptr};
    }
    boot::RecoveryScope* const scope = kernel != nullptr ? kernel->boot_cpu.recovery : nullptr;
    if (scope == nullptr || fault.kind == hal::FaultKind::double_fault) {
        boot::panic_on_fault(fault);
    }
    kernel->event(EventKind::fault_caught, fault.address.value, static_cast<u64>(fault.kind));
    scope->caught = {fault.kind, fault.address, fault.cause, fault.frame.instruction};
    return {hal::FaultAction::Kind::recover, &scope->point};
}
