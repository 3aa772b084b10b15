// Runs kernel tests and reports through the result channel. It knows the linker's set of tests; the
// state of a run lives in the run itself, reached by one pointer.
#include "tests/support/runner.hpp"

#include "core/boot/boot.hpp"
#include "core/task/task.hpp"
#include "core/trace/trace.hpp"
#include "hal/cpu.hpp"
#include "tests/support/test.hpp"

extern "C" {
extern twofold::test::TestCase const* const __start_twofold_tests[];
extern twofold::test::TestCase const* const __stop_twofold_tests[];
}

namespace twofold::test {

namespace {

using trace::EventKind;
using trace::Record;
using trace::RecordType;

struct Run {
    boot::Kernel& kernel;
    boot::CommandOutput& out;
    TestCase const* test = nullptr;
    FixedString<160> name;
    u64 failed_expectations = 0;
    std::string_view why_skipped{}; ///< what the test has said; empty: nothing
};

constinit Run* active_run = nullptr; // tests run one at a time

bool is_selected(std::string_view name, std::string_view wanted) {
    return name.starts_with(wanted);
}

void report_end(Run& run, std::string_view outcome, u64 cycles, std::string_view reason) {
    Record record(RecordType::test_end);
    record.text(run.name.view()).text(outcome);
    run.kernel.send(record.number(cycles).text(reason));
}

/// Tests begin on the boot processor, wherever the one before has ended.
void go_to_boot_processor(boot::Kernel& kernel) {
    if (kernel.threads != nullptr) {
        sched::CpuMask const boot_processor = sched::CpuMask::only({0});
        kernel.threads->set_allowed(task::Threads::current(), boot_processor).value();
    }
}

/// Runs the body of `run.test`; its failures are counted in `run`. Returns the cycles it took.
u64 run_guarded(Run& run) {
    run.failed_expectations = 0;
    run.why_skipped = {};
    go_to_boot_processor(run.kernel);
    u64 const blocks = boot::blocks_in_use(run.kernel);
    u64 const before = hal::Cpu::cycle_counter();
    auto const fault = boot::catch_fault([&run] { run.test->body(); });
    u64 const cycles = hal::Cpu::cycle_counter() - before;
    if (fault) {
        char text[120];
        fail(
            run.test->file, run.test->line, "no fault",
            format_to(
                std::span(text), "fault kind {} at {}, instruction {:#x}",
                static_cast<u32>(fault->kind), fault->address, fault->instruction));
    }
    if (u64 const left = boot::blocks_in_use(run.kernel); left > blocks) {
        char text[60];
        fail(
            run.test->file, run.test->line, "every block of the kernel's heap given back",
            format_to(std::span(text), "{} are not; 'heap leaks' lists them", left - blocks));
    }
    return cycles;
}

enum class Outcome : u8 { passed, failed, skipped };

/// Runs one test.
Outcome run_test(Run& run, u64 index) {
    Record begin(RecordType::test_begin);
    run.kernel.send(begin.text(run.name.view()));
    run.kernel.event(EventKind::test_begin, index);
    u64 const cycles = run_guarded(run);
    run.kernel.event(EventKind::test_end, index, run.failed_expectations);
    if (run.failed_expectations != 0) {
        report_end(run, "failed", cycles, "");
        return Outcome::failed;
    }
    if (!run.why_skipped.empty()) {
        report_end(run, "skipped", cycles, run.why_skipped);
        run.out.line("{} is skipped: {}", run.name.view(), run.why_skipped);
        return Outcome::skipped;
    }
    report_end(run, "passed", cycles, "");
    return Outcome::passed;
}

void name_test(Run& run, TestCase const& test) {
    run.test = &test;
    run.name.clear();
    run.name.append(test.suite).value();
    run.name.append(".").value();
    run.name.append(test.name).value();
}

u8 run_tests(boot::CommandContext& context) {
    Run run{context.kernel, context.out, nullptr, {}, 0};
    std::string_view const wanted = context.arguments.empty() ? "" : context.arguments[0];
    u64 passed = 0;
    u64 failed = 0;
    u64 skipped = 0;
    active_run = &run;
    for (usize i = 0; i < all_tests().size(); ++i) {
        name_test(run, *all_tests()[i]);
        if (!is_selected(run.name.view(), wanted)) {
            continue;
        }
        if (run.test->except_on == context.kernel.boot_info.machine) {
            report_end(run, "skipped", 0, run.test->reason);
            ++skipped;
        } else {
            Outcome const outcome = run_test(run, i);
            passed += outcome == Outcome::passed ? 1 : 0;
            failed += outcome == Outcome::failed ? 1 : 0;
            skipped += outcome == Outcome::skipped ? 1 : 0;
        }
    }
    active_run = nullptr;
    Record totals(RecordType::tests);
    context.kernel.send(totals.number(passed).number(failed).number(skipped));
    context.out.line("{} passed, {} failed, {} skipped", passed, failed, skipped);
    if (passed + failed + skipped == 0) {
        context.out.line("test: no test is named '{}'", wanted);
        return boot::status::failure;
    }
    return failed == 0 ? boot::status::success : boot::status::failure;
}

u8 list_tests(boot::CommandContext& context) {
    for (TestCase const* const test : all_tests()) {
        context.out.line("{}.{}", test->suite, test->name);
    }
    return boot::status::success;
}

constexpr boot::Command test_commands[] = {
    {"test",
     "runs the kernel's tests",
     run_tests,
     {{"NAME", "those whose name starts with it", boot::ArgumentKind::text,
       boot::ArgumentCount::optional}}},
    {"tests", "lists the kernel's tests, one a line", list_tests},
};

} // namespace

boot::CommandTable commands() {
    return {"tests", test_commands};
}

std::span<TestCase const* const> all_tests() {
    return {
        __start_twofold_tests, static_cast<usize>(__stop_twofold_tests - __start_twofold_tests)};
}

u64 run_body(boot::CommandContext& context, TestCase const& test) {
    Run run{context.kernel, context.out, nullptr, {}, 0};
    name_test(run, test);
    active_run = &run;
    run_guarded(run);
    active_run = nullptr;
    return run.failed_expectations;
}

void skip(std::string_view reason) {
    CHECK(active_run != nullptr && !reason.empty());
    active_run->why_skipped = reason;
}

void fail(char const* file, u32 line, std::string_view expectation, std::string_view detail) {
    CHECK(active_run != nullptr);
    Run& run = *active_run;
    ++run.failed_expectations;
    run.out.line("{}:{}: {}: expected {}; {}", file, line, run.name.view(), expectation, detail);
    Record record(RecordType::test_failure);
    record.text(run.name.view()).text(file).number(line);
    run.kernel.send(record.text(expectation, Record::text_header_bytes).text(detail));
}

} // namespace twofold::test
