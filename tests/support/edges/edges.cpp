// An interrupt at every edge of the control flow: kernel code is compiled so that each edge calls a
// hook, and the hook raises an interrupt on the processor that it runs on. For the hosted machine,
// in the preset `edges` alone. The hook is called by what clang's
// -fsanitize-coverage=trace-pc-guard inserts (SanitizerCoverage, "Tracing PCs with guards");
// nothing in this file is compiled with that.
//
// Where interrupts are off, the interrupt pends until they are on: then it comes at that edge.
// Edges between an interrupt's entry and its exit are left alone, and those of second halves are
// interrupted once each in a run, or one interrupt would bring the next for ever. The linker leads
// the machine's calls of kernel_interrupt here first (--wrap).
//
// Each interrupt wakes a thread that goes before all others. So whoever is interrupted is preempted
// there as well, and what the dispatcher does for a wake-up happens at every edge.
#include "core/task/task.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "tests/support/runner.hpp"
#include "tests/support/test.hpp"

#include <optional>
#include <utility>

extern "C" void __sanitizer_cov_trace_pc_guard(twofold::u32* guard);
extern "C" void __sanitizer_cov_trace_pc_guard_init(twofold::u32* start, twofold::u32* stop);
extern "C" void __real_kernel_interrupt(hal::Interruption const& interruption);
extern "C" void __wrap_kernel_interrupt(hal::Interruption const& interruption);

namespace twofold::test {

namespace {

using namespace twofold::literals;

enum class Mode : u8 { off, count, every, one };

/// What each edge of the program was met with in a run.
struct Met {
    u32 times = 0;           ///< taken by threads
    bool in_work = false;    ///< interrupted in a second half
    bool is_covered = false; ///< interrupted in any run
};

/// Of the times that an edge is taken beyond those that were asked for, one in so many is
/// interrupted, too: what a test comes to late. A prime, so that loops do not keep step with it.
constexpr u32 sampled = 997;

struct Injection {
    Mode mode = Mode::off;
    bool is_inside = false; ///< the hook itself runs
    u64 edge = 0;           ///< the number of the next edge of this run
    u64 chosen = 0;         ///< in mode `one`
    u32 times = 0;          ///< in mode `every`: as often an edge is interrupted; 0: always
    u64 raised = 0;
    u64 taken = 0;  ///< by the handler, in this run
    u64 worked = 0; ///< second halves, in all
    u64 woken = 0;  ///< how often the thread has run that each interrupt wakes
    task::Thread const* woken_thread = nullptr; ///< its own edges are left alone
    hal::Vector vector{};
};

constinit Injection injection; // one kernel runs one test at a time

/// Interrupts that have come and not returned, for each thread; of those that live at one time no
/// two have numbers that are as far apart. An interrupt may lead to other threads before it
/// returns.
constinit u8 entered[4096]{};

u8& entered_by_current() {
    bool const was_inside = std::exchange(injection.is_inside, true); // what is called has edges
    bool const has_threads = task::Threads::here() != nullptr;
    u64 const id = has_threads ? task::Threads::current().id() : 0;
    injection.is_inside = was_inside;
    return entered[id % std::size(entered)];
}

/// A number for each edge of the program.
constinit u32 edges_numbered = 0;
constexpr usize edges_max = usize{1} << 17;
constinit Met edges_met[edges_max]{};

/// Whether an interrupt could come here at all. A function that the machine itself shares with the
/// kernel may be the copy that has hooks.
bool is_interruptible() {
    hosted::GuestCpu const& cpu = hosted::guest_cpu();
    if (!cpu.in_kernel || cpu.switching) {
        return false;
    }
    auto const context = sync::current_context();
    return context == sync::ExecutionContext::work ||
           (context < sync::ExecutionContext::irq && entered_by_current() == 0 &&
            &task::Threads::current() != injection.woken_thread);
}

void raise_here(Met& met) {
    ++injection.raised;
    met.is_covered = true;
    hal::Controller::send(hal::Cpu::id(), injection.vector);
}

/// Whether the edge is one to be interrupted in mode `every`.
bool is_due(Met& met) {
    if (sync::current_context() == sync::ExecutionContext::work) {
        return !std::exchange(met.in_work, true);
    }
    ++met.times;
    return injection.times == 0 || met.times <= injection.times || met.times % sampled == 0;
}

void take_edge(u32 number) {
    if (injection.mode == Mode::off || injection.is_inside) {
        return;
    }
    injection.is_inside = true;
    if (is_interruptible()) {
        u64 const edge = injection.edge++;
        Met& met = edges_met[number];
        if ((injection.mode == Mode::every && is_due(met)) ||
            (injection.mode == Mode::one && edge == injection.chosen)) {
            raise_here(met);
        }
    }
    injection.is_inside = false;
}

u64 edges_met_count() {
    u64 count = 0;
    for (u32 number = 0; number < edges_numbered; ++number) {
        count += edges_met[number].is_covered ? 1 : 0;
    }
    return count;
}

/// For the next run.
void forget_times() {
    for (u32 number = 0; number < edges_numbered; ++number) {
        edges_met[number].times = 0;
        edges_met[number].in_work = false;
    }
}

/// What the handler does with what the interrupted code may be in the middle of: it notes an event,
/// sets and withdraws a deadline, wakes a thread, and asks for its second half, which takes a frame
/// and a block.
struct Handler {
    explicit Handler(boot::Kernel& in_kernel) : kernel(in_kernel) {
        task::ThreadAttributes attributes;
        attributes.name = "edges";
        attributes.parameters = task::Parameters::of<sched::Fifo>({.priority = 63});
        thread = kernel.threads->spawn(attributes, run, this).value();
        injection.woken_thread = thread;
    }
    Handler(Handler const&) = delete;
    Handler& operator=(Handler const&) = delete;
    ~Handler() {
        kernel.threads->ask_to_end(*thread);
        kernel.threads->join(*thread).value(); // it is joined here alone
        injection.woken_thread = nullptr;
    }

    static processor::Handling handle(void* self, hal::Interruption const&) {
        static_cast<Handler*>(self)->take();
        return processor::Handling::wake;
    }

    /// Counts as inside: its own edges are not to bring further interrupts.
    static void work(void* argument) {
        auto& self = *static_cast<Handler*>(argument);
        bool const was_inside = injection.is_inside;
        injection.is_inside = true;
        if (auto const frame = self.kernel.frames->allocate(0)) {
            self.kernel.frames->free(frame.value(), 0).value(); // it was allocated above
        }
        if (auto const block = self.kernel.heap->allocate(64_B)) {
            self.kernel.heap->free(block.value()).value(); // it was allocated above
        }
        ++injection.worked;
        injection.is_inside = was_inside;
    }

    static void run(void* argument) {
        auto& self = *static_cast<Handler*>(argument);
        while (!task::Threads::current().is_to_end()) {
            ++injection.woken;
            self.kernel.threads->park();
        }
    }

    void take() {
        ++injection.taken;
        kernel.threads->unpark(*thread);
        kernel.event(trace::EventKind::test_begin, injection.edge);
        if (kernel.has_clock) {
            processor::start_timer(timer, hal::Clock::now() + far_away).value();
            processor::TimerQueue::cancel(timer);
        }
    }

    static constexpr Nanos far_away{3'600'000'000'000};
    boot::Kernel& kernel;
    processor::Timer timer{[](void*) {}, nullptr};
    task::Thread* thread;
};

/// What is wrong with the kernel's shared structures; empty if nothing is.
std::string_view find_defect(boot::Kernel& kernel) {
    if (memory::FrameDefect const defect = kernel.frames->validate(); defect.found()) {
        return defect.problem;
    }
    if (!kernel.space->space().check()) {
        return "the ranges and tables of the kernel's space disagree";
    }
    if (auto const* const state = sync::cpu_state();
        state->held_count != 0 || state->context != sync::ExecutionContext::thread) {
        return "a lock is held, or the context is not a thread's";
    }
    return {};
}

struct Totals {
    u64 tests = 0;
    u64 runs = 0;
    u64 failed = 0;
    u64 raised = 0;
    u64 taken = 0;
};

/// One run of a test with interrupts as `mode` says; false if the test or the kernel came to harm.
bool run_once(
    boot::CommandContext& context, TestCase const& test, Mode mode, u64 chosen, Totals& totals) {
    CHECK(entered_by_current() == 0);
    if (mode == Mode::every) {
        forget_times();
    }
    injection.edge = 0;
    injection.chosen = chosen;
    injection.raised = 0;
    injection.taken = 0;
    injection.mode = mode;
    u64 const failures = run_body(context, test);
    injection.mode = Mode::off;
    std::string_view const defect = find_defect(context.kernel);
    if (!defect.empty()) {
        context.out.line("edges: {}.{}: {}", test.suite, test.name, defect);
    }
    ++totals.runs;
    totals.raised += injection.raised;
    totals.taken += injection.taken;
    bool const is_lost = injection.raised != 0 && injection.taken == 0;
    if (is_lost) {
        context.out.line("edges: {}.{}: no interrupt was taken", test.suite, test.name);
    }
    return failures == 0 && defect.empty() && !is_lost;
}

void run_at_edges(boot::CommandContext& context, TestCase const& test, u64 limit, Totals& totals) {
    ++totals.tests;
    bool good = run_once(context, test, Mode::count, 0, totals);
    u64 const edges = injection.edge;
    good = run_once(context, test, Mode::every, 0, totals) && good;
    for (u64 edge = 0; good && edges <= limit && edge < edges; ++edge) {
        good = run_once(context, test, Mode::one, edge, totals);
        if (!good) {
            context.out.line(
                "edges: {}.{} fails with an interrupt at edge {}", test.suite, test.name, edge);
        }
    }
    totals.failed += good ? 0 : 1;
    context.out.line(
        "{} {}.{}: {} edges", good ? "passed" : "FAILED", test.suite, test.name, edges);
}

/// The number that argument `index` gives, 0 if there is none; nothing (which was said) where it is
/// not a number.
std::optional<u64> number_argument(boot::CommandContext& context, usize index) {
    if (context.arguments.size() <= index) {
        return 0;
    }
    auto const number = parse_unsigned(context.arguments[index]);
    if (!number || number.value() > UINT32_MAX) {
        context.out.line("edges: '{}' is not a number of edges", context.arguments[index]);
        return std::nullopt;
    }
    return number.value();
}

u8 run_edges(boot::CommandContext& context) {
    std::string_view const place = context.arguments.empty() ? "" : context.arguments[0];
    auto const limit = number_argument(context, 1);
    auto const times = number_argument(context, 2);
    if (!limit || !times) {
        return boot::status::usage;
    }
    CHECK(edges_numbered <= edges_max);
    injection.times = static_cast<u32>(*times);
    boot::Kernel& kernel = context.kernel;
    if (kernel.threads == nullptr) {
        context.out.line("edges: there are no threads");
        return boot::status::failure;
    }
    Handler handler(kernel);
    auto const vector = kernel.interrupts.bind_any(
        {.handler = Handler::handle,
         .argument = &handler,
         .name = "edges",
         .second_half = Handler::work,
         .may_come_often = true});
    if (!vector) {
        context.out.line("edges: no vector can be bound: {}", vector.error());
        return boot::status::failure;
    }
    injection.vector = vector.value();
    Totals totals;
    for (TestCase const* const test : all_tests()) {
        std::string_view const file(test->file);
        // The last of that name: the folder of the checkout may have it, too.
        usize const tests = file.rfind("tests/");
        bool const is_wanted =
            tests != std::string_view::npos && file.substr(tests + 6).starts_with(place);
        if (is_wanted && test->except_on != kernel.boot_info.machine) {
            run_at_edges(context, *test, *limit, totals);
        }
    }
    kernel.interrupts.unbind(vector.value()).value();
    context.out.line(
        "{} interrupts raised and {} taken, {} second halves, {} preemptions, in {} runs; {} of {} "
        "edges of the program met",
        totals.raised, totals.taken, injection.worked, injection.woken, totals.runs,
        edges_met_count(), edges_numbered);
    context.out.line("{} passed, {} failed", totals.tests - totals.failed, totals.failed);
    if (totals.tests == 0 || totals.taken == 0) {
        context.out.line("edges: no test lies in tests/{}, or none met an interrupt", place);
        return boot::status::failure;
    }
    return totals.failed == 0 ? boot::status::success : boot::status::failure;
}

constexpr boot::Command commands_of_edges[] = {
    {"edges",
     "runs tests with an interrupt at every edge of the control flow, and short ones once for each "
     "edge alone",
     run_edges,
     {{"PLACE", "those in tests/PLACE", boot::ArgumentKind::text, boot::ArgumentCount::optional},
      {"LIMIT", "how many edges a short test has at most", boot::ArgumentKind::number,
       boot::ArgumentCount::optional},
      {"TIMES", "how often in a row an edge is interrupted that is taken more often",
       boot::ArgumentKind::number, boot::ArgumentCount::optional}}},
};

} // namespace

boot::CommandTable edge_commands() {
    return {"edges", commands_of_edges};
}

} // namespace twofold::test

void __sanitizer_cov_trace_pc_guard(twofold::u32* guard) {
    using namespace twofold;
    if (*guard != 0 && test::injection.mode != test::Mode::off) {
        test::take_edge(*guard - 1);
    }
}

void __wrap_kernel_interrupt(hal::Interruption const& interruption) {
    twofold::u8& entered = twofold::test::entered_by_current();
    ++entered;
    __real_kernel_interrupt(interruption);
    --entered;
}

/// Called once for each object, before main.
void __sanitizer_cov_trace_pc_guard_init(twofold::u32* start, twofold::u32* stop) {
    if (start == stop || *start != 0) {
        return;
    }
    for (twofold::u32* guard = start; guard != stop; ++guard) {
        *guard = ++twofold::test::edges_numbered;
    }
}
