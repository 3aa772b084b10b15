// The threads of a machine's processors: how one is started, and how all end together.
//
// The first end of the run counts, whichever processor it happens on. Whoever brings it about asks
// the others to leave their kernels (interrupt_signal.hpp); where one cannot leave just then, since
// it is between two stacks, it is asked again. The thread of Machine::run waits for all of them.
#include "hal/hosted/gs_base.hpp"
#include "hal/hosted/interrupt_signal.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/machine_locks.hpp"
#include "hal/hosted/processor.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>

namespace hosted {

namespace {

/// How long a processor may take to leave its kernel before it is asked again.
constexpr std::chrono::milliseconds ask_again{1};
/// How long a processor that is started may take to answer.
constexpr i64 answer_ns_max = 1'000'000'000;

/// All signals are blocked on this thread while it lives, so that a thread it makes is born so.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &m_before);
    }
    SignalsBlocked(SignalsBlocked const&) = delete;
    SignalsBlocked& operator=(SignalsBlocked const&) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &m_before, nullptr); }

private:
    sigset_t m_before{};
};

} // namespace

/// Nobody answers the processor `by`: what it waits before it gives up, unless the run ends.
void Machine::wait_in_vain(Processor& by) {
    i64 const end_ns = machine_now_ns(by.cpu()) + answer_ns_max;
    std::unique_lock lock(m_locks->end);
    while (!m_end && !by.signals().stop_requested && machine_now_ns(by.cpu()) < end_ns) {
        m_locks->done.wait_for(lock, std::chrono::nanoseconds(end_ns - machine_now_ns(by.cpu())));
    }
}

/// Answers Request::processor_start of `by`.
Result<void> Machine::start_processor(Processor& by) {
    StartRequest wanted;
    std::memcpy(&wanted, by.cpu().transfer, sizeof(wanted));
    std::lock_guard const lock(m_locks->start);
    if (wanted.id >= cpus_max) {
        return Error::out_of_range;
    }
    if (m_guest->processors[wanted.id] != nullptr) {
        return Error::already_exists;
    }
    auto const& dead = m_config.dead_processors;
    if (wanted.hardware_id >= m_processors.size() ||
        std::ranges::find(dead, wanted.hardware_id) != dead.end()) {
        wait_in_vain(by);
        return Error::timed_out;
    }
    Processor& processor = *m_processors[wanted.hardware_id];
    if (wanted.hardware_id == 0 || processor.thread.joinable()) {
        return Error::already_exists;
    }
    GuestCpu& cpu = processor.cpu();
    cpu.id = wanted.id;
    cpu.kernel_stack = wanted.kernel_stack;
    cpu.stack = wanted.stack;
    cpu.emergency_stack = wanted.emergency_stack;
    cpu.core = wanted.per_cpu;
    cpu.root = by.cpu().root;
    m_mmu->add_processor(cpu.slot, cpu.root);
    __atomic_store_n(&m_guest->processors[wanted.id], &cpu, __ATOMIC_RELEASE);
    ++m_running;
    SignalsBlocked const blocked;
    try {
        processor.thread = std::thread([this, &processor] { run_thread(processor); });
    } catch (std::system_error const&) {
        --m_running;
        __atomic_store_n(&m_guest->processors[wanted.id], nullptr, __ATOMIC_RELEASE);
        m_mmu->remove_processor(cpu.slot);
        return Error::timed_out; // the host has no thread left for it
    }
    processor.has_arrived.wait(false);
    return {};
}

/// The life of a thread that runs a processor other than the first.
void Machine::run_thread(Processor& processor) {
    {
        SignalScope const signals(processor.signals(), processor.signal_stack());
        GsBase const gs(&processor.cpu());
        SignalScope::unblock();
        processor.arrive();
        processor.has_arrived = true;
        processor.has_arrived.notify_all();
        run_guarded(processor);
        processor.leave();
    }
    ask_boot_processor();
    std::lock_guard const lock(m_locks->end);
    processor.is_done = true;
    m_locks->done.notify_all();
}

/// Runs a processor until it rests, halts or the run ends; what the console throws ends it, too.
Machine::Next Machine::run_guarded(Processor& processor) {
    try {
        Next const next = run_kernel(processor);
        if (next == Next::end && !processor.signals().stop_requested) {
            end_run(processor, stop_of(processor.cpu()), nullptr);
        } else if (next == Next::halt) {
            halt_processor(processor);
        }
        return next;
    } catch (...) {
        end_run(processor, {Stop::Kind::crashed}, std::current_exception());
        return Next::end;
    }
}

/// Notes how the run ends, unless it has ended already, and asks the other processors to leave.
void Machine::end_run(Processor& by, Stop stop, std::exception_ptr error) {
    {
        std::lock_guard const lock(m_locks->end);
        if (m_end) {
            return;
        }
        m_end = RunEnd{stop, by.cpu().slot, error};
        m_locks->done.notify_all();
    }
    for (auto const& processor : m_processors) {
        if (processor.get() != &by) {
            ask_to_leave(processor->signals());
        }
    }
}

/// A processor that ended the run asks the thread of Machine::run until that has left its kernel.
void Machine::ask_boot_processor() {
    std::unique_lock lock(m_locks->end);
    while (m_end && boot().is_running()) {
        ask_to_leave(boot().signals());
        m_locks->done.wait_for(lock, ask_again);
    }
}

/// Waits for the threads of all other processors, which have been asked to leave.
void Machine::join_others() {
    std::unique_lock lock(m_locks->end);
    m_locks->done.notify_all();
    for (auto const& processor : m_processors) {
        if (!processor->thread.joinable()) {
            continue;
        }
        while (!processor->is_done) {
            ask_to_leave(processor->signals());
            m_locks->done.wait_for(lock, ask_again);
        }
        lock.unlock();
        processor->thread.join();
        lock.lock();
    }
}

/// Ends whatever runs, for a machine that starts over or goes.
void Machine::end_others() {
    end_run(boot(), {Stop::Kind::crashed}, nullptr);
    join_others();
}

void Machine::halt_processor(Processor& processor) {
    m_mmu->remove_processor(processor.cpu().slot);
    if (--m_running == 0) {
        m_all_halted = true;
        end_run(processor, {Stop::Kind::crashed}, nullptr);
    }
}

} // namespace hosted
