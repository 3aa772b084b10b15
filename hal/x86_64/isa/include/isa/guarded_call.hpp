// A call that a fault can be recovered from (the contract's Cpu::guarded_call). See guarded_call.S.
//
// A machine that is told FaultAction::recover edits the interrupted context: the instruction
// pointer becomes `isa_recover`, rdi the recovery point, and the direction flag is cleared. The
// stack pointer may be anything: `isa_recover` does not touch memory through it before it has
// loaded its own.
#pragma once

#include "hal/cpu_types.hpp"

/// Saves the callee-saved registers, the stack pointer and the return address in `point`, then
/// calls function(argument) and returns true. O(1) beside the call.
extern "C" bool
isa_guarded_call(hal::RecoveryPoint& point, void (*function)(void*), void* argument);

/// Returns false from the isa_guarded_call that filled `point`. Only ever jumped to.
extern "C" void isa_recover(hal::RecoveryPoint& point);

namespace isa {

/// Indices into RecoveryPoint::registers.
enum RecoveryRegister : unsigned { rbx, rbp, r12, r13, r14, r15, stack_pointer, instruction };

} // namespace isa
