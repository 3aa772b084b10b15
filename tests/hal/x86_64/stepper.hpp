// Code on the host, run one instruction after the other: the processor's trap flag raises SIGTRAP
// behind each, and a function of the test looks at the state between two of them.
//
// What an interrupt does to interrupted code can be tried there, at each instruction: a signal that
// is sent from the function arrives before the next one runs.
#pragma once

#include "core/base/base.hpp"

#include <csignal>
#include <ucontext.h>

namespace twofold::test {

/// The word at `address`. By an instruction that no sanitizer checks.
inline u64 peek(u64 address) {
    u64 word;
    asm volatile("movq (%1), %0" : "=r"(word) : "r"(address) : "memory");
    return word;
}
inline void poke(u64 address, u64 word) {
    asm volatile("movq %1, (%0)" : : "r"(address), "r"(word) : "memory");
}

/// The state before an instruction runs.
class Step {
public:
    explicit Step(ucontext_t& context) : m_context(context) {}

    u64 instruction() const { return get(REG_RIP); }
    u64 stack_pointer() const { return get(REG_RSP); }
    /// Whether the instruction is a call of a kind that the stubs use: near, or by a register.
    bool is_call() const;
    /// Where the processor goes on in steps, or without.
    void set_trap_flag(bool is_set) const;

private:
    u64 get(int index) const { return static_cast<u64>(m_context.uc_mcontext.gregs[index]); }

    ucontext_t& m_context;
};

/// Takes the signals of the trap flag while it lives. One at a time in a process.
class Stepper {
public:
    /// Called on the thread's signal stack where it has one, all signals blocked but those of
    /// faults.
    using Function = void (*)(void* object, Step const& step);

    Stepper(Function function, void* object);
    Stepper(Stepper const&) = delete;
    Stepper& operator=(Stepper const&) = delete;
    ~Stepper();

private:
    static void handle(int, siginfo_t*, void* context);

    Function m_function;
    void* m_object;
    struct sigaction m_before{};
};

/// A call with known registers, in steps: see stepped_call.S, which knows the offsets.
struct SteppedCall {
    static constexpr usize kept_count = 6; ///< rbx, rbp, r12 to r15

    u64 function = 0;
    u64 arguments[3] = {};
    u64 kept[kept_count] = {0xb0b0'0001, 0xb0b0'0002, 0xb0b0'0003,
                            0xb0b0'0004, 0xb0b0'0005, 0xb0b0'0006};
    u64 kept_after[kept_count] = {};
    u64 result = 0;
    u64 stack = 0; ///< the stack pointer before the call
    u64 stack_after = 0;

    /// Whether the callee has left the stack pointer and its caller's registers as they were.
    bool is_kept() const;
};
static_assert(offsetof(SteppedCall, kept) == 32 && offsetof(SteppedCall, kept_after) == 80);
static_assert(offsetof(SteppedCall, result) == 128 && offsetof(SteppedCall, stack_after) == 144);

/// Makes the call; each instruction of it is a step. Needs a Stepper.
extern "C" void call_stepped(SteppedCall& call);
/// Where the callee returns to.
extern "C" char const call_stepped_return[];

} // namespace twofold::test
