// What the kernel hands the machine: the functions that a machine calls. core/boot defines them.
#pragma once

#include "hal/boot.hpp"
#include "hal/cpu.hpp"
#include "hal/interrupt_types.hpp"

#include <span>
#include <string_view>

namespace hal {

enum class FaultKind : u8 {
    page,                ///< no translation, or one that forbids the access
    protection,          ///< a non-canonical address or another violation without a page
    physical,            ///< a translation leads outside of memory
    invalid_instruction, ///< an opcode the processor does not have
    divide,              ///< division by zero or overflow
    breakpoint,
    debug,
    arithmetic, ///< a floating-point or vector exception
    alignment,
    double_fault,
    machine_check,
    non_maskable, ///< a non-maskable interrupt
    other,        ///< any other exception; `name` says which
};

/// The access that faulted, computed from the tables and not from the host's report. For kind
/// `page`.
struct PageFaultCause {
    bool present; ///< a translation exists but forbids the access
    bool write;
    bool execute;
    bool user;
    bool reserved; ///< a reserved bit is set in an entry
};

struct NamedRegister {
    std::string_view name;
    u64 value;
};

/// A synchronous exception, free of the machine's frame layout.
struct Fault {
    FaultKind kind;
    std::string_view name; ///< the manual's term, e.g. "#PF page fault"
    u64 code;              ///< the raw error code, 0 if the exception has none
    VirtAddr address;      ///< the address accessed (kinds `page`, `protection`, `physical`)
    PageFaultCause cause;
    StackFrame frame; ///< where it happened
    u64 stack_pointer;
    InterruptState interrupts; ///< where it happened
    std::span<NamedRegister const> registers;
};

/// What the machine does when the fault upcall returns.
struct FaultAction {
    enum class Kind : u8 { retry, recover } kind;
    RecoveryPoint* point; ///< for `recover`
};

} // namespace hal

/// The kernel's entry: called once, on the boot processor, with interrupts disabled, on the stack
/// that `info` names. Never returns.
extern "C" [[noreturn]] void kernel_start(hal::BootInfo const& info);

/// A synchronous exception of the code that runs on this processor. Interrupts are disabled; runs
/// on the interrupted stack or, for those that cannot trust it, on one of the machine's own.
extern "C" hal::FaultAction kernel_fault(hal::Fault const& fault);

/// An interrupt of this processor. Interrupts are disabled; runs on the interrupted stack and
/// returns to what was interrupted. The kernel acknowledges it (hal/controller.hpp).
extern "C" void kernel_interrupt(hal::Interruption const& interruption);

/// The first kernel code on a processor that Processors::start has started, on the stack that it
/// was given, its per-CPU pointer set, interrupts disabled. Never returns.
extern "C" [[noreturn]] void kernel_processor_online();
