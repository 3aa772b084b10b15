// See live_engine.hpp.
#include "hal/hosted/live/live_engine.hpp"

#include "hal/hosted/gs_base.hpp"
#include "hal/hosted/live/host_counter.hpp"
#include "hal/hosted/signal_context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <sys/random.h>
#include <utility>

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

std::expected<std::unique_ptr<LiveEngine>, std::string> LiveEngine::create(Board& board) {
    std::unique_ptr<LiveEngine> engine(new LiveEngine(board));
    for (auto const& processor : board.processors()) {
        auto made = LiveProcessor::create(*processor);
        if (!made) {
            return std::unexpected(made.error());
        }
        engine->m_processors.push_back(std::move(*made));
    }
    board.connect(*engine);
    return engine;
}

void LiveEngine::power_on() {
    forget_end();
    m_running = 1;
    m_all_halted = false;
    m_crash_report.clear();
    watch_devices();
    // One moment for all, or their clocks would not agree.
    u64 const now_cycles = read_counter();
    for (auto const& processor : m_processors) {
        processor->cpu().scale = {.base_cycles = now_cycles, .base_ns = 0, .multiplier = 0};
        processor->forget();
    }
}

void LiveEngine::forget_end() {
    m_end.reset();
    boot().forget();
}

Stop LiveEngine::run() {
    SignalScope const signals(boot().signals(), boot().signal_stack());
    GsBase const gs(&boot().cpu());
    boot().arrive();
    Next const next = run_guarded(boot());
    if (next == Next::rest) {
        return {Stop::Kind::waiting_for_input};
    }
    while (next == Next::halt && !boot().signals().stop_requested && !m_all_halted) {
        boot().cpu().interrupts.forget_pending(); // nobody takes them any more
        boot().sleep_until_notified();
    }
    boot().leave();
    if (boot().signals().stop_requested) {
        end_run(boot(), {Stop::Kind::interrupted}, nullptr); // unless another has ended it
    }
    bool const several = has_started_others();
    join_others();
    write_crash_report(several);
    if (m_end->error != nullptr) {
        std::rethrow_exception(m_end->error);
    }
    return m_end->stop;
}

/// Runs a processor until it has nothing to do or the run ends.
LiveEngine::Next LiveEngine::run_kernel(LiveProcessor& processor) {
    Next next = Next::kernel;
    while (next == Next::kernel && !processor.signals().stop_requested) {
        processor.processor().enter_kernel();
        next = processor.signals().stop_requested ? Next::end : answer(processor);
    }
    return processor.signals().stop_requested ? Next::end : next;
}

/// Does what the kernel on `processor` asked for.
LiveEngine::Next LiveEngine::answer(LiveProcessor& processor) {
    GuestCpu& cpu = processor.cpu();
    u64 const first = cpu.arguments[0];
    if (m_board.answer(cpu)) {
        return Next::kernel;
    }
    switch (cpu.request) {
    case Request::idle:
        return answer_idle(processor);
    case Request::counter_has:
    case Request::counter_start:
    case Request::counter_read:
    case Request::counter_stop:
        answer_counter(processor);
        break;
    case Request::processor_start:
        cpu.result = answer_of(start_processor(processor));
        break;
    case Request::processor_halt:
        return Next::halt;
    case Request::notify:
        CHECK(first < m_processors.size());
        m_processors[first]->notify();
        break;
    case Request::yield:
        sched_yield();
        break;
    case Request::clock_adopt:
    case Request::clock_describe:
    case Request::clock_common:
    case Request::clock_distrust:
    case Request::clock_set:
    case Request::clock_wall:
        answer_clock(processor);
        break;
    default:
        return Next::end;
    }
    return Next::kernel;
}

/// The boot processor goes to rest, so that the program can wait for input; another one sleeps.
LiveEngine::Next LiveEngine::answer_idle(LiveProcessor& processor) {
    if (&processor == &boot()) {
        return processor.rest() ? Next::rest : Next::kernel;
    }
    processor.sleep_until_notified();
    return Next::kernel;
}

void LiveEngine::answer_counter(LiveProcessor& processor) {
    GuestCpu& cpu = processor.cpu();
    auto const event = static_cast<hal::CounterEvent>(cpu.arguments[0]);
    switch (cpu.request) {
    case Request::counter_has:
        cpu.result = HostCounters::has(event) ? 1 : 0;
        break;
    case Request::counter_start:
        cpu.result = answer_of(processor.counters.start(event));
        break;
    case Request::counter_stop:
        cpu.result = answer_of(processor.counters.stop(event));
        break;
    default:
        CHECK(cpu.request == Request::counter_read);
        auto const count = processor.counters.read(event);
        cpu.result = count ? no_error : static_cast<u64>(count.error());
        cpu.arguments[0] = count ? count.value() : 0;
        break;
    }
}

void LiveEngine::answer_clock(LiveProcessor& processor) {
    GuestCpu& cpu = processor.cpu();
    CounterMeasurement const& counter = measure_counter();
    timespec wall{};
    switch (cpu.request) {
    case Request::clock_adopt:
        for (auto const& each : m_processors) {
            each->cpu().scale.multiplier = counter.multiplier;
        }
        break;
    case Request::clock_describe:
        cpu.arguments[0] = counter.hz;
        cpu.arguments[1] = counter.error_ppm;
        cpu.result = counter.is_invariant ? 1 : 0;
        break;
    case Request::clock_common:
        cpu.result = time_ns();
        break;
    case Request::clock_distrust:
        distrust_counter();
        break;
    case Request::clock_set:
        processor.check_deadline(true);
        processor.note_pending();
        break;
    default:
        CHECK(cpu.request == Request::clock_wall);
        clock_gettime(CLOCK_REALTIME, &wall);
        cpu.result = static_cast<u64>(wall.tv_sec) * 1'000'000'000 + static_cast<u64>(wall.tv_nsec);
        break;
    }
}

/// From now on all processors take the time from the host's clock, which goes on from where the
/// latest of them may have been.
void LiveEngine::distrust_counter() {
    constexpr u32 tries = 16;
    if (boot().cpu().counter_distrusted) {
        return;
    }
    // The host's clock is read first, so the machine's jumps ahead by what lies between the
    // readings and never back; the best of some tries, since anything may come in between.
    u64 offset_ns = 0;
    u64 best_ns = ~u64{0};
    for (u32 i = 0; i < tries; ++i) {
        u64 const before_ns = time_ns();
        u64 const host_ns = host_monotonic_ns();
        u64 const after_ns = time_ns();
        if (after_ns - before_ns < best_ns) {
            best_ns = after_ns - before_ns;
            offset_ns = host_ns - after_ns;
        }
    }
    m_board.guest().common_clock_offset_ns = offset_ns;
    for (auto const& each : m_processors) {
        each->cpu().counter_distrusted = true;
    }
}

void LiveEngine::set_time(u64 now_ns) {
    m_board.guest().common_clock_offset_ns = host_monotonic_ns() - now_ns;
    u64 const cycles = read_counter();
    for (auto const& each : m_processors) {
        each->cpu().scale.base_cycles = cycles;
        each->cpu().scale.base_ns = now_ns;
    }
}

namespace {

struct LiveState : EngineState {
    u64 time_ns = 0;
};

} // namespace

std::shared_ptr<EngineState const> LiveEngine::copy_state() const {
    auto state = std::make_shared<LiveState>();
    state->time_ns = time_ns();
    return state;
}

bool LiveEngine::accepts(EngineState const& state) const {
    return dynamic_cast<LiveState const*>(&state) != nullptr;
}

void LiveEngine::assign_state(EngineState const& state) {
    forget_end();
    set_time(dynamic_cast<LiveState const&>(state).time_ns);
}

void LiveEngine::note_input() {
    bool const is_told = m_board.raise_input();
    for (auto const& processor : m_processors) {
        if (!is_told && &processor->cpu() == m_board.input_reader()) {
            processor->note_input();
        }
    }
}

u64 LiveEngine::time_ns() const {
    return static_cast<u64>(machine_now_ns(boot().cpu()));
}

void LiveEngine::raise(Processor& target, hal::Vector vector) {
    m_processors[target.slot()]->raise(vector);
}

void LiveEngine::fill_random(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        ssize_t const got = getrandom(bytes.data(), bytes.size(), 0);
        CHECK(got > 0 || errno == EINTR);
        bytes = bytes.subspan(got > 0 ? static_cast<usize>(got) : 0);
    }
}

void LiveEngine::input_is_awaited() {
    boot().notify(); // the program, which waits beside it, is to know
}

bool LiveEngine::has_started_others() const {
    return std::ranges::any_of(
        m_processors, [](auto const& processor) { return processor->thread.joinable(); });
}

std::string_view LiveEngine::why_it_cannot_be_copied() const {
    return has_started_others()
               ? "a machine whose other processors run can neither be copied nor become another: "
                 "start none of them, or reset it first"
               : "";
}

/// Gathers where the processors stood, first the one on which the run has ended.
void LiveEngine::write_crash_report(bool several) {
    auto const add = [&](LiveProcessor& processor) {
        SignalTarget const& signals = processor.signals();
        if (signals.report_size != 0) {
            m_crash_report +=
                several ? fmt::format("processor {}: ", signals.cpu.id) : std::string();
            m_crash_report.append(signals.report, signals.report_size);
        }
    };
    if (!m_end->has_report()) {
        return;
    }
    if (m_all_halted) {
        m_crash_report = "every processor has halted\n";
    }
    add(*m_processors[m_end->slot]);
    for (u32 slot = 0; slot < m_processors.size(); ++slot) {
        if (slot != m_end->slot) {
            add(*m_processors[slot]);
        }
    }
}

void LiveEngine::request_stop(siginfo_t const& info, ucontext_t& context) {
    stop_kernel(boot().signals(), info, context);
}

bool LiveEngine::can_wake() {
    for (auto const& processor : m_processors) {
        bool const runs = processor->run_state() == RunState::running;
        if (runs || processor->cpu().deadline.wanted_ns != Deadline::never) {
            return true;
        }
    }
    return boot().cpu().interrupts.any() || boot().signals().stop_requested;
}

/// Nobody answers the processor `by`: what it waits before it gives up, unless the run ends.
void LiveEngine::wait_in_vain(LiveProcessor& by) {
    i64 const end_ns = machine_now_ns(by.cpu()) + answer_ns_max;
    std::unique_lock lock(m_ending);
    while (!m_end && !by.signals().stop_requested && machine_now_ns(by.cpu()) < end_ns) {
        m_done.wait_for(lock, std::chrono::nanoseconds(end_ns - machine_now_ns(by.cpu())));
    }
}

/// Answers Request::processor_start of `by`.
Result<void> LiveEngine::start_processor(LiveProcessor& by) {
    std::lock_guard const lock(m_start);
    Result<Processor*> const prepared = m_board.prepare_start(by.cpu());
    if (!prepared) {
        if (prepared.error() == Error::timed_out) {
            wait_in_vain(by);
        }
        return prepared.error();
    }
    LiveProcessor& processor = *m_processors[prepared.value()->slot()];
    ++m_running;
    SignalsBlocked const blocked;
    try {
        processor.thread = std::thread([this, &processor] { run_thread(processor); });
    } catch (std::system_error const&) {
        --m_running;
        m_board.undo_start(processor.processor());
        return Error::timed_out; // the host has no thread left for it
    }
    processor.has_arrived.wait(false);
    return {};
}

/// The life of a thread that runs a processor other than the first.
void LiveEngine::run_thread(LiveProcessor& processor) {
    {
        SignalScope const signals(processor.signals(), processor.signal_stack());
        GsBase const gs(&processor.cpu());
        LiveProcessor::unblock();
        processor.arrive();
        processor.has_arrived = true;
        processor.has_arrived.notify_all();
        run_guarded(processor);
        processor.leave();
    }
    ask_boot_processor();
    std::lock_guard const lock(m_ending);
    processor.is_done = true;
    m_done.notify_all();
}

/// Runs a processor until it rests, halts or the run ends; what the console throws ends it, too.
LiveEngine::Next LiveEngine::run_guarded(LiveProcessor& processor) {
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
void LiveEngine::end_run(LiveProcessor& by, Stop stop, std::exception_ptr error) {
    {
        std::lock_guard const lock(m_ending);
        if (m_end) {
            return;
        }
        m_end = RunEnd{stop, by.cpu().slot, std::move(error)};
        m_done.notify_all();
    }
    for (auto const& processor : m_processors) {
        if (processor.get() != &by) {
            processor->ask_to_leave();
        }
    }
}

/// A processor that ended the run asks the thread of Machine::run until that has left its kernel.
void LiveEngine::ask_boot_processor() {
    std::unique_lock lock(m_ending);
    while (m_end && boot().is_running()) {
        boot().ask_to_leave();
        m_done.wait_for(lock, ask_again);
    }
}

/// Waits for the threads of all other processors, which have been asked to leave.
void LiveEngine::join_others() {
    std::unique_lock lock(m_ending);
    m_done.notify_all();
    for (auto const& processor : m_processors) {
        if (!processor->thread.joinable()) {
            continue;
        }
        while (!processor->is_done) {
            processor->ask_to_leave();
            m_done.wait_for(lock, ask_again);
        }
        lock.unlock();
        processor->thread.join();
        lock.lock();
    }
}

void LiveEngine::end_others() {
    end_run(boot(), {Stop::Kind::crashed}, nullptr);
    join_others();
}

void LiveEngine::halt_processor(LiveProcessor& processor) {
    m_board.mmu().remove_processor(processor.cpu().slot);
    if (--m_running == 0) {
        m_all_halted = true;
        end_run(processor, {Stop::Kind::crashed}, nullptr);
    }
}

} // namespace hosted
