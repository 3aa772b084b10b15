// See interrupt_signal.hpp.
#include "hal/hosted/interrupt_signal.hpp"

#include "hal/hosted/host_counter.hpp"
#include "hal/hosted/signal_context.hpp"

#include <sanitizer_choice.hpp>

#include <algorithm>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hosted {

namespace {

/// The run state as the word that the host waits for. Sound: the enumeration's values are u32.
u32* futex_word(SignalTarget& target) {
    return reinterpret_cast<u32*>(&target.cpu.interrupts.run_state);
}

bool change_state(SignalTarget& target, RunState from, RunState to) {
    auto expected = static_cast<u32>(from);
    return __atomic_compare_exchange_n(
        futex_word(target), &expected, static_cast<u32>(to), false, __ATOMIC_SEQ_CST,
        __ATOMIC_SEQ_CST);
}

/// Sets the host's timer to the deadline that the kernel wants.
void set_timer(SignalTarget& target, i64 now_ns) {
    Deadline& deadline = target.cpu.deadline;
    // First the note, then the timer: what fires in between is looked at by the handler.
    i64 const wanted_ns = deadline.wanted_ns;
    deadline.set_ns = wanted_ns;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    target.timer.set(std::max(wanted_ns - now_ns, i64{1}));
}

/// Makes the interrupted context continue where what is pending is delivered.
void enter_interrupt(GuestCpu& cpu, ucontext_t& context) {
    cpu.interrupts_enabled = false; // as an interrupt gate does
    auto& registers = context.uc_mcontext.gregs;
    auto const instruction = static_cast<u64>(registers[REG_RIP]);
    auto const first = reinterpret_cast<u64>(&hosted_interrupt_leaving);
    auto const end = reinterpret_cast<u64>(&hosted_interrupt_left);
    if (instruction - first < end - first) {
        registers[REG_RIP] = reinterpret_cast<greg_t>(&hosted_interrupt_again);
        return;
    }
    cpu.interrupted = frame_of(context);
    redirect(
        context, reinterpret_cast<u64>(&hosted_interrupt_entry),
        reinterpret_cast<u64>(&cpu.interrupted), (cpu.interrupted.stack_pointer - red_zone_bytes));
}

} // namespace

i64 machine_now_ns(GuestCpu const& cpu) {
    return static_cast<i64>(
        cpu.counter_distrusted ? host_monotonic_ns() - cpu.machine->common_clock_offset_ns
                               : cpu.scale.nanoseconds(read_counter()));
}

void note_pending(GuestCpu& cpu) {
    if (cpu.interrupts.any_vector()) {
        cpu.attention = true; // never false: a signal may have come since the look
    }
}

void set_run_state(SignalTarget& target, RunState state) {
    __atomic_store_n(futex_word(target), static_cast<u32>(state), __ATOMIC_SEQ_CST);
}

RunState run_state(SignalTarget& target) {
    return static_cast<RunState>(__atomic_load_n(futex_word(target), __ATOMIC_SEQ_CST));
}

void ask_to_leave(SignalTarget& target) {
    target.stop_requested = true;
    notify(target);
}

void notify(SignalTarget& target) {
    InterruptWords& words = target.cpu.interrupts;
    while (true) {
        switch (run_state(target)) {
        case RunState::running:
            if (__atomic_exchange_n(&words.signalled, 1u, __ATOMIC_SEQ_CST) == 0) {
                syscall(SYS_tgkill, target.process.load(), target.thread.load(), interrupt_signal);
            }
            return;
        case RunState::sleeping:
            if (change_state(target, RunState::sleeping, RunState::running)) {
                syscall(SYS_futex, futex_word(target), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
                return;
            }
            break;
        case RunState::resting:
            if (change_state(target, RunState::resting, RunState::woken)) {
                u64 const one = 1;
                [[maybe_unused]] auto const written =
                    write(target.wake_descriptor, &one, sizeof(one));
                return;
            }
            break;
        case RunState::off:
        case RunState::woken:
            return;
        }
    }
}

void raise_interrupt(SignalTarget& target, hal::Vector vector) {
    target.cpu.interrupts.raised.set(vector);
    notify(target);
}

void check_deadline(SignalTarget& target, bool fired) {
    Deadline& deadline = target.cpu.deadline;
    if (deadline.wanted_ns == Deadline::never && deadline.set_ns == Deadline::never) {
        return;
    }
    i64 const now_ns = machine_now_ns(target.cpu);
    if (fired || now_ns >= deadline.set_ns) {
        deadline.set_ns = Deadline::never;
    }
    if (now_ns >= deadline.wanted_ns) {
        deadline.wanted_ns = Deadline::never;
        target.cpu.interrupts.raised.set(deadline_vector);
    } else if (deadline.wanted_ns < deadline.set_ns) {
        set_timer(target, now_ns); // the host's clock is ahead of the machine's
    }
}

void sleep_until_notified(SignalTarget& target) {
    set_run_state(target, RunState::sleeping);
    if (!target.cpu.interrupts.any() && !target.stop_requested &&
        !target.has_input.exchange(false)) {
        // A signal that is held back does not keep the thread from falling asleep.
        constexpr timespec look_again{0, 1'000'000};
        syscall(
            SYS_futex, futex_word(target), FUTEX_WAIT_PRIVATE, static_cast<u32>(RunState::sleeping),
            sanitizer::holds_signals_back ? &look_again : nullptr, nullptr, 0);
        sanitizer::take_signals();
    }
    set_run_state(target, RunState::running);
    note_pending(target.cpu);
}

void handle_interrupt(SignalTarget& target, siginfo_t const& info, ucontext_t& context) {
    GuestCpu& cpu = target.cpu;
    // From here on whoever raises something signals anew; all that was raised before is seen below.
    __atomic_exchange_n(&cpu.interrupts.signalled, 0u, __ATOMIC_SEQ_CST);
    check_deadline(target, info.si_code == SI_TIMER);
    if (target.stop_requested) {
        stop_kernel(target, info, context);
    } else {
        note_pending(cpu);
        if (is_computing(cpu) && !cpu.fault.busy && cpu.interrupts.take_non_maskable()) {
            raise_non_maskable(target, context, info);
        } else if (is_computing(cpu) && cpu.interrupts_enabled && cpu.interrupts.next()) {
            enter_interrupt(cpu, context);
        }
    }
    if (run_state(target) == RunState::sleeping) {
        change_state(target, RunState::sleeping, RunState::running); // it must not fall asleep now
    }
}

} // namespace hosted
