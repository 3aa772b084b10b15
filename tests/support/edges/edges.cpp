// See edges.hpp. The hook is called by what clang's -fsanitize-coverage=trace-pc-guard inserts
// (SanitizerCoverage, "Tracing PCs with guards"); nothing in this file is compiled with that.
//
// Where interrupts are off, the interrupt pends until they are on: then it comes at that edge.
// Edges that a handler takes are left alone, or one interrupt would bring the next for ever.
#include "tests/support/edges/edges.hpp"

#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "tests/support/runner.hpp"
#include "tests/support/test.hpp"

extern "C" void __sanitizer_cov_trace_pc_guard(twofold::u32* guard);
extern "C" void __sanitizer_cov_trace_pc_guard_init(twofold::u32* start, twofold::u32* stop);

namespace twofold::test {

namespace {

enum class Mode : u8 { off, count, every, one };

struct Injection {
    Mode mode = Mode::off;
    bool is_inside = false; ///< the hook itself runs
    u64 edge = 0;           ///< the number of the next edge of this run
    u64 chosen = 0;         ///< in mode `one`
    u64 raised = 0;
    u64 taken = 0; ///< by the handler, in this run
    hal::Vector vector{};
};

constinit Injection injection; // one kernel runs one test at a time

/// A number for each edge of the program, and whether an interrupt was raised there.
constinit u32 edges_numbered = 0;
constexpr usize edges_max = usize{1} << 18;
constinit u8 edges_met[edges_max]{};

/// Whether an interrupt could come here at all. A function that the machine itself shares with the
/// kernel may be the copy that has hooks.
bool is_interruptible() {
    hosted::GuestCpu const& cpu = hosted::guest_cpu();
    return cpu.in_kernel && !cpu.switching && sync::current_context() < sync::ExecutionContext::irq;
}

void raise_here(u32 number) {
    ++injection.raised;
    if (number < edges_max) {
        edges_met[number] = 1;
    }
    hal::Controller::send(hal::Cpu::id(), injection.vector);
}

void take_edge(u32 number) {
    if (injection.mode == Mode::off || injection.is_inside || !is_interruptible()) {
        return;
    }
    injection.is_inside = true;
    u64 const edge = injection.edge++;
    if (injection.mode == Mode::every ||
        (injection.mode == Mode::one && edge == injection.chosen)) {
        raise_here(number);
    }
    injection.is_inside = false;
}

u64 edges_met_count() {
    u64 count = 0;
    for (u32 number = 0; number < edges_numbered && number < edges_max; ++number) {
        count += edges_met[number];
    }
    return count;
}

/// What the handler does with what the interrupted code may be in the middle of: it takes frames,
/// notes a rare path, and sets and withdraws a deadline.
struct Handler {
    explicit Handler(boot::Kernel& in_kernel) : kernel(in_kernel) {}

    static processor::Handling handle(void* self, hal::Interruption const&) {
        static_cast<Handler*>(self)->take();
        return processor::Handling::handled;
    }

    void take() {
        ++injection.taken;
        if (auto const frame = kernel.frames->allocate(0)) {
            kernel.frames->free(frame.value(), 0).value();
        } else {
            ++refused;
        }
        sync::note_edge(trace::Edge::frames_misused);
        if (kernel.has_clock) {
            processor::start_timer(timer, hal::Clock::now() + far_away).value();
            processor::TimerQueue::cancel(timer);
        }
    }

    static constexpr Nanos far_away{3'600'000'000'000};
    boot::Kernel& kernel;
    processor::Timer timer{[](void*) {}, nullptr};
    u64 refused = 0;
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

u8 run_edges(boot::CommandContext& context) {
    std::string_view const place = context.arguments.empty() ? "" : context.arguments[0];
    u64 limit = 0;
    if (context.arguments.size() > 1) {
        auto const given = parse_unsigned(context.arguments[1]);
        if (!given) {
            context.out.line("edges: '{}' is not a number of edges", context.arguments[1]);
            return boot::status::usage;
        }
        limit = given.value();
    }
    boot::Kernel& kernel = context.kernel;
    Handler handler(kernel);
    auto const vector = kernel.interrupts.bind_any(
        {.handler = Handler::handle,
         .argument = &handler,
         .name = "edges",
         .may_come_often = true});
    if (!vector) {
        context.out.line("edges: no vector can be bound: {}", vector.error());
        return boot::status::failure;
    }
    injection.vector = vector.value();
    Totals totals;
    for (TestCase const* const test : all_tests()) {
        std::string_view const file(test->file);
        bool const is_wanted = file.find("tests/") != std::string_view::npos &&
                               file.substr(file.find("tests/") + 6).starts_with(place);
        if (is_wanted && test->except_on != kernel.boot_info.machine) {
            run_at_edges(context, *test, limit, totals);
        }
    }
    kernel.interrupts.unbind(vector.value()).value();
    context.out.line(
        "{} interrupts raised and {} taken in {} runs; {} of {} edges of the program met",
        totals.raised, totals.taken, totals.runs, edges_met_count(), edges_numbered);
    context.out.line("{} passed, {} failed", totals.tests - totals.failed, totals.failed);
    if (totals.tests == 0 || totals.taken == 0) {
        context.out.line("edges: no test lies in tests/{}, or none met an interrupt", place);
        return boot::status::failure;
    }
    return totals.failed == 0 ? boot::status::success : boot::status::failure;
}

constexpr boot::Command commands_of_edges[] = {
    {"edges", "[PLACE] [LIMIT]",
     "runs the tests in tests/PLACE with an interrupt at every edge of the control flow, and those "
     "of at most LIMIT edges once for each edge alone",
     2, run_edges},
};

} // namespace

std::span<boot::Command const> edge_commands() {
    return commands_of_edges;
}

} // namespace twofold::test

void __sanitizer_cov_trace_pc_guard(twofold::u32* guard) {
    using namespace twofold;
    if (*guard != 0 && test::injection.mode != test::Mode::off) {
        test::take_edge(*guard - 1);
    }
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
