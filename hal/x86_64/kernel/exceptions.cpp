// Exceptions: from the processor's frame to a hal::Fault, and what the kernel answered put into
// effect.
//
// Source: SDM volume 3A, section 6.15 (the exceptions), table 6-1.
#include "hal/upcalls.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"
#include "isa/guarded_call.hpp"
#include "isa/page_entry.hpp"

namespace metal {

/// What exceptions.S leaves on the stack, from the stack pointer upwards.
struct ExceptionFrame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector;
    u64 code;
    // pushed by the processor
    u64 rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(ExceptionFrame) == 22 * 8, "the stack is 16-aligned at the call");

namespace {

using hal::FaultKind;

struct ExceptionFact {
    FaultKind kind;
    std::string_view name;
};

constexpr unsigned double_fault = 8;
constexpr unsigned page_fault = 14;

constexpr ExceptionFact exception_facts[vectors::exception_count] = {
    {FaultKind::divide, "#DE divide error"},
    {FaultKind::debug, "#DB debug exception"},
    {FaultKind::non_maskable, "NMI non-maskable interrupt"},
    {FaultKind::breakpoint, "#BP breakpoint"},
    {FaultKind::other, "#OF overflow"},
    {FaultKind::other, "#BR BOUND range exceeded"},
    {FaultKind::invalid_instruction, "#UD invalid opcode"},
    {FaultKind::other, "#NM device not available (a floating-point or vector instruction)"},
    {FaultKind::double_fault, "#DF double fault"},
    {FaultKind::other, "coprocessor segment overrun"},
    {FaultKind::other, "#TS invalid TSS"},
    {FaultKind::other, "#NP segment not present"},
    {FaultKind::protection, "#SS stack-segment fault"},
    {FaultKind::protection, "#GP general protection"},
    {FaultKind::page, "#PF page fault"},
    {FaultKind::other, "reserved exception 15"},
    {FaultKind::arithmetic, "#MF x87 floating-point error"},
    {FaultKind::alignment, "#AC alignment check"},
    {FaultKind::machine_check, "#MC machine check"},
    {FaultKind::arithmetic, "#XM SIMD floating-point exception"},
    {FaultKind::other, "#VE virtualization exception"},
    {FaultKind::other, "#CP control protection exception"},
    {FaultKind::other, "reserved exception 22"},
    {FaultKind::other, "reserved exception 23"},
    {FaultKind::other, "reserved exception 24"},
    {FaultKind::other, "reserved exception 25"},
    {FaultKind::other, "reserved exception 26"},
    {FaultKind::other, "reserved exception 27"},
    {FaultKind::other, "#HV hypervisor injection exception"},
    {FaultKind::other, "#VC VMM communication exception"},
    {FaultKind::other, "#SX security exception"},
    {FaultKind::other, "reserved exception 31"},
};

hal::PageFaultCause decode_page_fault(u64 code) {
    namespace bit = isa::page_fault_bit;
    return {
        (code & bit::present) != 0, (code & bit::write) != 0, (code & bit::execute) != 0,
        (code & bit::user) != 0, (code & bit::reserved) != 0};
}

/// Whether a double fault came from pushing a page fault's frame below the end of a stack: the
/// address that could not be written lies just under the stack pointer.
bool is_stack_overflow(ExceptionFrame const& frame, u64 address) {
    return frame.vector == double_fault && frame.rsp - address <= page_size.value;
}

hal::Fault decode(ExceptionFrame const& frame) {
    hal::Fault fault{};
    CHECK(frame.vector < vectors::exception_count);
    fault.kind = exception_facts[frame.vector].kind;
    fault.name = exception_facts[frame.vector].name;
    fault.code = frame.code;
    if (frame.vector == page_fault) {
        fault.address = {read_cr2()};
        fault.cause = decode_page_fault(frame.code);
    } else if (is_stack_overflow(frame, read_cr2())) {
        fault.address = {read_cr2()};
        fault.name = "#DF double fault (the stack is exhausted)";
    }
    fault.frame = {frame.rbp, frame.rip};
    fault.stack_pointer = frame.rsp;
    constexpr u64 interrupts_enabled = u64{1} << 9;
    fault.interrupts = (frame.rflags & interrupts_enabled) != 0 ? hal::InterruptState::enabled
                                                                : hal::InterruptState::disabled;
    return fault;
}

/// The interrupted code continues behind the guarded call that filled `point`.
void recover(ExceptionFrame& frame, hal::RecoveryPoint& point) {
    constexpr u64 trap = u64{1} << 8, direction = u64{1} << 10, nested = u64{1} << 14;
    constexpr u64 resume = u64{1} << 16, alignment = u64{1} << 18;
    frame.rip = reinterpret_cast<u64>(&isa_recover);
    frame.rdi = reinterpret_cast<u64>(&point);
    frame.rflags &= ~(trap | direction | nested | resume | alignment);
}

} // namespace

} // namespace metal

extern "C" void metal_exception(metal::ExceptionFrame& frame);

void metal_exception(metal::ExceptionFrame& frame) {
    using namespace metal;
    hal::NamedRegister const registers[] = {
        {"rax", frame.rax},  {"rbx", frame.rbx},  {"rcx", frame.rcx},
        {"rdx", frame.rdx},  {"rsi", frame.rsi},  {"rdi", frame.rdi},
        {"rbp", frame.rbp},  {"rsp", frame.rsp},  {"r8", frame.r8},
        {"r9", frame.r9},    {"r10", frame.r10},  {"r11", frame.r11},
        {"r12", frame.r12},  {"r13", frame.r13},  {"r14", frame.r14},
        {"r15", frame.r15},  {"rip", frame.rip},  {"rflags", frame.rflags},
        {"cs", frame.cs},    {"ss", frame.ss},    {"cr2", read_cr2()},
        {"cr3", read_cr3()}, {"cr4", read_cr4()}, {"vector", frame.vector},
    };
    hal::Fault fault = decode(frame);
    fault.registers = registers;
    u64 const fault_address = read_cr2(); // what was interrupted may be about to read it
    hal::FaultAction const action = kernel_fault(fault);
    write_cr2(fault_address);
    if (action.kind == hal::FaultAction::Kind::recover) {
        CHECK(action.point != nullptr);
        recover(frame, *action.point);
    }
}
