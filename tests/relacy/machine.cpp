// The processor that the model checker runs the kernel's locks on: the declarations of the exemplar
// machine, defined as far as locks need them. A pause gives the other threads their turn.
#include <core/base/atomic.hpp>

#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"

void hal::Cpu::pause() {
    rl::yield(1, RL_INFO);
}

/// No processor keeps ranks here: fibers of one thread take turns.
void* hal::Cpu::per_cpu() {
    return nullptr;
}

hal::CpuId hal::Cpu::id() {
    return {rl::thread_index()};
}

twofold::u64 hal::Cpu::cycle_counter() {
    return 0;
}

hal::InterruptState hal::Interrupt::disable() {
    return InterruptState::disabled;
}
void hal::Interrupt::restore(InterruptState) {}
hal::InterruptState hal::Interrupt::state() {
    return InterruptState::disabled;
}

void twofold::check_failed(char const* expression, std::source_location where) {
    rl::ctx().fail_test(
        expression, rl::test_result_user_assert_failed,
        rl::debug_info(where.function_name(), where.file_name(), where.line()));
    __builtin_unreachable();
}
