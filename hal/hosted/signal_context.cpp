// See signal_context.hpp.
#include "hal/hosted/signal_context.hpp"

#include <isa/context.hpp>
#include <sanitizer_choice.hpp>

#include <iterator>

namespace hosted {

namespace {

constexpr u64 direction_flag = u64{1} << 10;
constexpr u64 trap_flag = u64{1} << 8;
constexpr u64 alignment_flag = u64{1} << 18;

/// The lines that tell where the kernel stands.
void write_kernel_stack(Output const& out, SignalTarget const& target, ExecutionPoint point) {
    out.write("kernel stack, innermost first:\n");
    write_backtrace(out, target.image, reader_of(target), point);
}

} // namespace

FaultFrame frame_of(ucontext_t const& context) {
    auto const& from = context.uc_mcontext.gregs;
    auto const get = [&](int index) { return static_cast<u64>(from[index]); };
    u64 const segments = get(REG_CSGSFS);
    return {
        .r15 = get(REG_R15),
        .r14 = get(REG_R14),
        .r13 = get(REG_R13),
        .r12 = get(REG_R12),
        .r11 = get(REG_R11),
        .r10 = get(REG_R10),
        .r9 = get(REG_R9),
        .r8 = get(REG_R8),
        .rbp = get(REG_RBP),
        .rdi = get(REG_RDI),
        .rsi = get(REG_RSI),
        .rdx = get(REG_RDX),
        .rcx = get(REG_RCX),
        .rbx = get(REG_RBX),
        .rax = get(REG_RAX),
        .instruction = get(REG_RIP),
        .code_segment = segments & 0xffff,
        .flags = get(REG_EFL),
        .stack_pointer = get(REG_RSP),
        .stack_segment = segments >> 48};
}

bool is_computing(GuestCpu const& cpu) {
    return cpu.in_kernel && !cpu.switching && !sanitizer::holds_signals_back;
}

void redirect(ucontext_t& context, u64 entry, u64 argument, u64 stack) {
    auto& registers = context.uc_mcontext.gregs;
    registers[REG_RIP] = static_cast<greg_t>(entry);
    registers[REG_RDI] = static_cast<greg_t>(argument);
    registers[REG_RSP] = static_cast<greg_t>(stack & ~u64{63});
    registers[REG_EFL] &= static_cast<greg_t>(~(direction_flag | trap_flag | alignment_flag));
}

void end_kernel(SignalTarget& target, ucontext_t& context, siginfo_t const& info, char const* why) {
    TextBuffer text(target.report);
    format_to(
        text.output(),
        "the machine ended its kernel: {}\n{} at instruction {:#018x}, address {:#018x}\n", why,
        signal_name(info.si_signo), interrupted_point(context).instruction,
        reinterpret_cast<u64>(info.si_addr));
    write_kernel_stack(text.output(), target, interrupted_point(context));
    target.report_size = text.view().size();

    GuestCpu& cpu = target.cpu;
    cpu.request = Request::crash;
    cpu.interrupts_enabled = false; // nothing may be delivered on the way
    auto& registers = context.uc_mcontext.gregs;
    // As if the kernel had called isa_switch_context(&kernel_stack, machine_stack) on a small
    // stack.
    u64 const top = reinterpret_cast<u64>(&cpu.scratch_stack[std::size(cpu.scratch_stack) - 1]);
    registers[REG_RIP] = reinterpret_cast<greg_t>(&isa_switch_context);
    registers[REG_RDI] = reinterpret_cast<greg_t>(&cpu.kernel_stack);
    registers[REG_RSI] = static_cast<greg_t>(cpu.machine_stack);
    registers[REG_RSP] = static_cast<greg_t>(top);
    registers[REG_EFL] &= static_cast<greg_t>(~(direction_flag | trap_flag | alignment_flag));
}

void stop_kernel(SignalTarget& target, siginfo_t const& info, ucontext_t& context) {
    GuestCpu const& cpu = target.cpu;
    auto const stack = static_cast<u64>(context.uc_mcontext.gregs[REG_RSP]);
    // On the machine's stack, or on the way to it, nothing can be ended yet; the next answer sees
    // it.
    if (is_computing(cpu) && target.mmu.covers(stack)) {
        end_kernel(target, context, info, "it was asked to");
    } else if (target.report_size == 0) {
        TextBuffer text(target.report);
        write_suspended_kernel(text.output(), target);
        target.report_size = text.view().size();
    }
    target.stop_requested = true;
}

WordReader reader_of(SignalTarget const& target) {
    return {&target.mmu, target.cpu.root};
}

void write_suspended_kernel(Output const& out, SignalTarget const& target) {
    if (auto const point = suspended_point(reader_of(target), target.cpu.kernel_stack)) {
        write_kernel_stack(out, target, *point);
    }
}

} // namespace hosted
