// What an exception vector means. Pure facts: Intel SDM volume 3A, table 6-1.
#pragma once

#include "hal/hosted/page_walk.hpp"
#include "hal/upcalls.hpp"

namespace hosted {

struct ExceptionFacts {
    hal::FaultKind kind;
    char const* name;
};

inline constexpr u64 non_maskable_vector = 2;

/// Kind and name of an exception vector. O(1).
constexpr ExceptionFacts exception_facts(u64 vector) {
    using hal::FaultKind;
    switch (vector) {
    case 0:
        return {FaultKind::divide, "#DE divide error"};
    case 1:
        return {FaultKind::debug, "#DB debug exception"};
    case non_maskable_vector:
        return {FaultKind::non_maskable, "NMI non-maskable interrupt"};
    case 3:
        return {FaultKind::breakpoint, "#BP breakpoint"};
    case 4:
        return {FaultKind::other, "#OF overflow"};
    case 5:
        return {FaultKind::other, "#BR bound range exceeded"};
    case 6:
        return {FaultKind::invalid_instruction, "#UD invalid opcode"};
    case 8:
        return {FaultKind::double_fault, "#DF double fault"};
    case 12:
        return {FaultKind::protection, "#SS stack segment fault"};
    case 13:
        return {FaultKind::protection, "#GP general protection"};
    case 14:
        return {FaultKind::page, "#PF page fault"};
    case 16:
        return {FaultKind::arithmetic, "#MF x87 floating-point error"};
    case 17:
        return {FaultKind::alignment, "#AC alignment check"};
    case 19:
        return {FaultKind::arithmetic, "#XM SIMD floating-point exception"};
    default:
        return {FaultKind::other, "an exception without a name"};
    }
}

/// The cause of a page fault, from the walk and the kind of access alone. Pure.
constexpr hal::PageFaultCause page_fault_cause(Walk const& walk, bool write, bool execute) {
    bool const reserved = walk.outcome == Walk::Outcome::reserved_bits;
    return {
        .present = reserved || walk.outcome == Walk::Outcome::mapped,
        .write = write,
        .execute = execute,
        .user = false, // the kernel's own access
        .reserved = reserved};
}

/// The error code that the processor would push for `cause`. Pure.
constexpr u64 page_fault_code(hal::PageFaultCause const& cause) {
    return (cause.present ? isa::page_fault_bit::present : 0) |
           (cause.write ? isa::page_fault_bit::write : 0) |
           (cause.user ? isa::page_fault_bit::user : 0) |
           (cause.reserved ? isa::page_fault_bit::reserved : 0) |
           (cause.execute ? isa::page_fault_bit::execute : 0);
}

} // namespace hosted
