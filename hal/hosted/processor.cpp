// See processor.hpp.
#include "hal/hosted/processor.hpp"

#include "hal/hosted/interrupt_signal.hpp"

#include <fmt/format.h>
#include <isa/context.hpp>
#include <sanitizer_choice.hpp>

#include <cerrno>
#include <cstring>
#include <new>
#include <sys/eventfd.h>
#include <unistd.h>

namespace hosted {

Processor::Processor(
    GuestCpu& cpu, Mmu& mmu, Image const& image, std::unique_ptr<SignalStack> signal_stack)
    : m_signals{cpu, mmu, image}, m_signal_stack(std::move(signal_stack)) {}

std::expected<std::unique_ptr<Processor>, std::string>
Processor::create(GuestCpu* place, Mmu& mmu, Image const& image) {
    auto signal_stack = SignalStack::create();
    if (!signal_stack) {
        return std::unexpected(signal_stack.error());
    }
    std::unique_ptr<Processor> made(
        new Processor(*new (place) GuestCpu, mmu, image, std::move(*signal_stack)));
    made->m_signals.wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->m_signals.wake_descriptor < 0) {
        return std::unexpected(fmt::format("cannot make an event: {}", std::strerror(errno)));
    }
    return made;
}

Processor::~Processor() {
    if (m_signals.wake_descriptor >= 0) {
        close(m_signals.wake_descriptor);
    }
}

void Processor::arrive() {
    m_signals.process = getpid();
    m_signals.thread = gettid();
    InterruptWords& words = cpu().interrupts;
    __atomic_store_n(&words.signalled, 0u, __ATOMIC_SEQ_CST); // of a thread that ran it before
    set_run_state(m_signals, RunState::running);
    // Before the first deadline: any signal may find that it has to be set.
    CHECK(m_signals.timer.bind(m_signals.thread));
    check_deadline(m_signals, true);
    note_pending(cpu());
}

void Processor::leave() {
    m_signals.timer.unbind();
    counters.stop_all();
    set_run_state(m_signals, RunState::off);
}

bool Processor::is_running() {
    RunState const state = run_state(m_signals);
    return state == RunState::running || state == RunState::sleeping;
}

bool Processor::rest() {
    set_run_state(m_signals, RunState::resting);
    if (cpu().interrupts.any() || m_signals.stop_requested) {
        set_run_state(m_signals, RunState::running);
        note_pending(cpu()); // who raised it may have found it at rest: no signal comes
        return false;
    }
    return true;
}

void Processor::forget_wake() {
    u64 count = 0;
    [[maybe_unused]] auto const got = read(m_signals.wake_descriptor, &count, sizeof(count));
}

void Processor::enter_kernel() {
    GuestCpu& guest = cpu();
    guest.request = Request::none;
    sanitizer::take_signals();
    void* state = nullptr;
    sanitizer::start_switch(&state, guest.stack);
    guest.in_kernel = true;
    isa_switch_context(&guest.machine_stack, guest.kernel_stack);
    guest.in_kernel = false;
    if (guest.request == Request::crash && !guest.switching) {
        // The signal handler switched, and could not announce it.
        void* kernel_state = nullptr;
        sanitizer::start_switch(&kernel_state, guest.machine_bounds);
    }
    static_cast<void>(sanitizer::finish_switch(state));
}

void Processor::forget() {
    m_signals.forget();
    has_arrived = false;
    is_done = false;
}

void Processor::forget_stacks() {
    for (StackBounds const stack : {cpu().stack, cpu().interrupted_stack, cpu().emergency_stack}) {
        sanitizer::unpoison(stack.base, stack.size);
    }
}

} // namespace hosted
