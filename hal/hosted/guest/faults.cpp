// The kernel's side of a fault: turns the slot that the signal handler filled into a hal::Fault and
// does what the kernel answers. Runs on the interrupted stack or on the emergency stack.
#include "hal/cpu.hpp"
#include "hal/hosted/fault_decode.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"

#include <isa/guarded_call.hpp>
#include <sanitizer_choice.hpp>

#include <array>

using namespace hosted;

namespace {

using Registers = std::array<hal::NamedRegister, 18>;

Registers name_registers(FaultFrame const& frame) {
    return {{
        {"rax", frame.rax},
        {"rbx", frame.rbx},
        {"rcx", frame.rcx},
        {"rdx", frame.rdx},
        {"rsi", frame.rsi},
        {"rdi", frame.rdi},
        {"rbp", frame.rbp},
        {"rsp", frame.stack_pointer},
        {"r8", frame.r8},
        {"r9", frame.r9},
        {"r10", frame.r10},
        {"r11", frame.r11},
        {"r12", frame.r12},
        {"r13", frame.r13},
        {"r14", frame.r14},
        {"r15", frame.r15},
        {"rip", frame.instruction},
        {"rflags", frame.flags},
    }};
}

/// Tells the sanitizer that execution has moved to `to`.
void move_to_stack(StackBounds to) {
    void* state = nullptr;
    sanitizer::start_switch(&state, to);
    static_cast<void>(sanitizer::finish_switch(state));
}

void enter_emergency_stack(GuestCpu& cpu) {
    cpu.interrupted_stack = cpu.stack;
    cpu.stack = cpu.emergency_stack;
    move_to_stack(cpu.stack);
}

void leave_emergency_stack(GuestCpu& cpu) {
    cpu.stack = cpu.interrupted_stack;
    cpu.on_emergency_stack = false;
    move_to_stack(cpu.stack);
}

/// Goes back to the guarded call of `point`. The frames in between are left without running to
/// their ends, so what the sanitizer holds against their stack is void. Does not return, which the
/// compiler is not told: the sanitizer would then look for a stack that is being left.
void recover(GuestCpu& cpu, hal::RecoveryPoint& point) {
    u64 const target = point.registers[isa::stack_pointer];
    u64 lowest = reinterpret_cast<u64>(__builtin_frame_address(0)) - page_size.value;
    if (cpu.on_emergency_stack && !cpu.emergency_stack.contains(target)) {
        sanitizer::unpoison(cpu.emergency_stack.base, cpu.emergency_stack.size);
        leave_emergency_stack(cpu);
        lowest = cpu.stack.base;
    }
    if (cpu.stack.contains(target) && lowest < target) {
        sanitizer::unpoison(lowest, target - lowest);
    }
    isa_recover(point);
}

} // namespace

namespace hosted {

void take_non_maskable() {
    if (!guest_cpu().interrupts.take_non_maskable()) {
        return;
    }
    hal::StackFrame const frame = hal::Cpu::current_frame();
    hal::InterruptState const before = hal::Interrupt::disable();
    hal::Fault const fault{
        .kind = hal::FaultKind::non_maskable,
        .name = exception_facts(non_maskable_vector).name,
        .code = 0,
        .address = {},
        .cause = {},
        .frame = frame,
        .stack_pointer = frame.frame_pointer,
        .interrupts = before,
        .registers = {}};
    hal::FaultAction const action = kernel_fault(fault);
    if (action.kind == hal::FaultAction::Kind::recover) {
        CHECK(action.point != nullptr);
        static_cast<void>(hal::Interrupt::disable());
        recover(guest_cpu(), *action.point);
    }
    hal::Interrupt::restore(before);
}

} // namespace hosted

/// Called by hosted_fault_entry with the busy slot, and the frame to continue from. Returns to
/// retry.
extern "C" void hosted_fault_dispatch(FaultSlot& slot, FaultFrame& frame);

extern "C" void hosted_fault_dispatch(FaultSlot& slot, FaultFrame& frame) {
    CHECK(slot.busy);
    GuestCpu& cpu = guest_cpu();
    frame = slot.frame;
    bool const emergency = slot.emergency;
    bool const interrupts_enabled = slot.interrupts_enabled;
    Registers const registers = name_registers(frame);
    hal::Fault const fault{
        .kind = slot.kind,
        .name = slot.name,
        .code = slot.code,
        .address = {slot.address},
        .cause = slot.cause,
        .frame = {frame.rbp, frame.instruction},
        .stack_pointer = frame.stack_pointer,
        .interrupts =
            interrupts_enabled ? hal::InterruptState::enabled : hal::InterruptState::disabled,
        .registers = registers};
    slot.busy = false;
    slot.emergency = false;
    if (cpu.interrupts.has_non_maskable()) [[unlikely]] {
        take_non_maskable(); // it came in the entry
    }

    if (emergency) {
        enter_emergency_stack(cpu);
    }
    hal::FaultAction const action = kernel_fault(fault);
    if (action.kind == hal::FaultAction::Kind::recover) {
        CHECK(action.point != nullptr);
        static_cast<void>(hal::Interrupt::disable()); // and so they stay
        recover(guest_cpu(), *action.point);
    }
    if (emergency) {
        leave_emergency_stack(guest_cpu());
    }
    hal::Interrupt::restore(
        interrupts_enabled ? hal::InterruptState::enabled : hal::InterruptState::disabled);
}
