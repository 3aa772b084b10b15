// See live_processor.hpp.
#include "hal/hosted/live/live_processor.hpp"

#include "hal/hosted/live/host_counter.hpp"
#include "hal/hosted/signal_context.hpp"

#include <fmt/format.h>
#include <sanitizer_choice.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <mutex>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hosted {

namespace {

thread_local LiveProcessor* current_processor = nullptr;

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

/// A thread that runs no processor, or none any more, has nothing to do.
void handle_interrupt_signal(int, siginfo_t* info, void* raw_context) {
    int const errno_before = errno;
    if (LiveProcessor* const processor = current_processor; processor != nullptr) {
        processor->handle(*info, *static_cast<ucontext_t*>(raw_context));
    }
    errno = errno_before;
}

void install_handler() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action = signal_action(handle_interrupt_signal);
        action.sa_flags |= SA_RESTART; // the machine's own code need not know
        int const failed = sigaction(interrupt_signal, &action, nullptr);
        CHECK(failed == 0);
    });
}

} // namespace

i64 machine_now_ns(GuestCpu const& cpu) {
    return static_cast<i64>(
        cpu.counter_distrusted ? host_monotonic_ns() - cpu.machine->common_clock_offset_ns
                               : cpu.scale.nanoseconds(read_counter()));
}

std::expected<std::unique_ptr<LiveProcessor>, std::string>
LiveProcessor::create(Processor& processor) {
    install_handler();
    auto signal_stack = SignalStack::create();
    if (!signal_stack) {
        return std::unexpected(signal_stack.error());
    }
    std::unique_ptr<LiveProcessor> made(new LiveProcessor(processor, std::move(*signal_stack)));
    made->m_wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->m_wake_descriptor < 0) {
        return std::unexpected(fmt::format("cannot make an event: {}", std::strerror(errno)));
    }
    return made;
}

LiveProcessor::~LiveProcessor() {
    if (m_wake_descriptor >= 0) {
        close(m_wake_descriptor);
    }
}

void LiveProcessor::arrive() {
    m_process = getpid();
    m_thread = gettid();
    current_processor = this;
    InterruptWords& words = cpu().interrupts;
    __atomic_store_n(&words.signalled, 0u, __ATOMIC_SEQ_CST); // of a thread that ran it before
    set_run_state(RunState::running);
    // Before the first deadline: any signal may find that it has to be set.
    CHECK(m_timer.bind(m_thread));
    check_deadline(true);
    note_pending();
}

void LiveProcessor::leave() {
    m_timer.unbind();
    counters.stop_all();
    set_run_state(RunState::off);
}

bool LiveProcessor::is_running() {
    RunState const state = run_state();
    return state == RunState::running || state == RunState::sleeping;
}

bool LiveProcessor::rest() {
    set_run_state(RunState::resting);
    if (cpu().interrupts.any() || signals().stop_requested || m_has_input.exchange(false)) {
        set_run_state(RunState::running);
        note_pending(); // who raised it may have found it at rest: no signal comes
        return false;
    }
    return true;
}

void LiveProcessor::forget_wake() {
    u64 count = 0;
    [[maybe_unused]] auto const got = read(m_wake_descriptor, &count, sizeof(count));
}

void LiveProcessor::forget() {
    m_has_input = false;
    has_arrived = false;
    is_done = false;
}

void LiveProcessor::unblock() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (int const signal : fault_signals()) {
        sigdelset(&blocked, signal);
    }
    sigdelset(&blocked, interrupt_signal);
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

void LiveProcessor::ask_to_leave() {
    signals().stop_requested = true;
    notify();
}

void LiveProcessor::notify() {
    InterruptWords& words = cpu().interrupts;
    while (true) {
        switch (run_state()) {
        case RunState::running:
            if (__atomic_exchange_n(&words.signalled, 1u, __ATOMIC_SEQ_CST) == 0) {
                syscall(SYS_tgkill, m_process.load(), m_thread.load(), interrupt_signal);
            }
            return;
        case RunState::sleeping:
            if (change_state(RunState::sleeping, RunState::running)) {
                syscall(SYS_futex, futex_word(), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
                return;
            }
            break;
        case RunState::resting:
            if (change_state(RunState::resting, RunState::woken)) {
                u64 const one = 1;
                [[maybe_unused]] auto const written = write(m_wake_descriptor, &one, sizeof(one));
                return;
            }
            break;
        case RunState::off:
        case RunState::woken:
            return;
        }
    }
}

void LiveProcessor::raise(hal::Vector vector) {
    cpu().interrupts.raised.set(vector);
    // What a device raises while the processor itself is at its registers is seen on the way back.
    bool const is_on_its_way = current_processor == this && !cpu().in_kernel;
    if (is_on_its_way && run_state() == RunState::running) {
        note_pending();
    } else {
        notify();
    }
}

void LiveProcessor::note_input() {
    m_has_input = true;
    notify();
}

void LiveProcessor::note_pending() {
    if (cpu().interrupts.any_vector()) {
        cpu().attention = true; // never false: a signal may have come since the look
    }
}

void LiveProcessor::check_deadline(bool fired) {
    Deadline& deadline = cpu().deadline;
    if (deadline.wanted_ns == Deadline::never && deadline.set_ns == Deadline::never) {
        return;
    }
    i64 const now_ns = machine_now_ns(cpu());
    if (fired || now_ns >= deadline.set_ns) {
        deadline.set_ns = Deadline::never;
    }
    if (now_ns >= deadline.wanted_ns) {
        deadline.wanted_ns = Deadline::never;
        cpu().interrupts.raised.set(deadline_vector);
    } else if (deadline.wanted_ns < deadline.set_ns) {
        set_timer(now_ns); // the host's clock is ahead of the machine's
    }
}

void LiveProcessor::sleep_until_notified() {
    set_run_state(RunState::sleeping);
    if (!cpu().interrupts.any() && !signals().stop_requested && !m_has_input.exchange(false)) {
        // A signal that is held back does not keep the thread from falling asleep.
        constexpr timespec look_again{0, 1'000'000};
        syscall(
            SYS_futex, futex_word(), FUTEX_WAIT_PRIVATE, static_cast<u32>(RunState::sleeping),
            sanitizer::holds_signals_back ? &look_again : nullptr, nullptr, 0);
        sanitizer::take_signals();
    }
    set_run_state(RunState::running);
    note_pending();
}

void LiveProcessor::handle(siginfo_t const& info, ucontext_t& context) {
    GuestCpu& guest = cpu();
    // From here on whoever raises something signals anew; all that was raised before is seen below.
    __atomic_exchange_n(&guest.interrupts.signalled, 0u, __ATOMIC_SEQ_CST);
    check_deadline(info.si_code == SI_TIMER);
    if (signals().stop_requested) {
        stop_kernel(signals(), info, context);
    } else {
        note_pending();
        if (is_computing(guest) && !guest.fault.busy && guest.interrupts.take_non_maskable()) {
            raise_non_maskable(signals(), context, info);
        } else if (is_computing(guest) && guest.interrupts_enabled && guest.interrupts.next()) {
            enter_interrupt(guest, context);
        }
    }
    if (run_state() == RunState::sleeping) {
        change_state(RunState::sleeping, RunState::running); // it must not fall asleep now
    }
}

/// The run state as the word that the host waits for. Sound: the enumeration's values are u32.
u32* LiveProcessor::futex_word() {
    return reinterpret_cast<u32*>(&cpu().interrupts.run_state);
}

bool LiveProcessor::change_state(RunState from, RunState to) {
    auto expected = static_cast<u32>(from);
    return __atomic_compare_exchange_n(
        futex_word(), &expected, static_cast<u32>(to), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void LiveProcessor::set_run_state(RunState state) {
    __atomic_store_n(futex_word(), static_cast<u32>(state), __ATOMIC_SEQ_CST);
}

RunState LiveProcessor::run_state() {
    return static_cast<RunState>(__atomic_load_n(futex_word(), __ATOMIC_SEQ_CST));
}

/// Sets the host's timer to the deadline that the kernel wants.
void LiveProcessor::set_timer(i64 now_ns) {
    Deadline& deadline = cpu().deadline;
    // First the note, then the timer: what fires in between is looked at by the handler.
    i64 const wanted_ns = deadline.wanted_ns;
    deadline.set_ns = wanted_ns;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    m_timer.set(std::max(wanted_ns - now_ns, i64{1}));
}

} // namespace hosted
