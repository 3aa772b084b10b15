// twofold-test-host, twofold-test-sim: the kernel's tests (tests/support/test.hpp) as GoogleTest
// cases, each run inside a kernel on a hosted machine, live or simulated.
//
// A case types `test SUITE.NAME` on the console of the machine, runs it until it waits for input
// again, and turns the records of the result channel into failures and skips. The machine lives
// from case to case; after a panic or a crash the next case boots a fresh one. With --results FILE
// the records are written there, too, one JSON object a line; with --cpus N the machine has so many
// processors, of which that with the number that --dead-processor names never answers.
#include "apps/drivers/twins.hpp"
#include "apps/launch/records.hpp"
#include "apps/launch/results_file.hpp"
#include "tests/support/registered_tests.hpp"
#include "tests/support/test_machine.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace twofold;
using hosted::Machine;
using hosted::Stop;
using launch::Record;
using launch::RecordType;

/// Lines typed by the runner, records decoded, and what the kernel printed. The machine calls it on
/// any of its threads, the runner on its own: hence the lock.
class TestConsole final : public hosted::ConsoleEndpoint {
public:
    void write(std::string_view text) override {
        std::lock_guard const lock(m_mutex);
        m_printed += text;
    }
    hal::ConsoleInput read() override {
        std::lock_guard const lock(m_mutex);
        if (m_next == m_line.size()) {
            m_asked = true;
            return {hal::InputStatus::none, '\0'};
        }
        return {hal::InputStatus::byte, m_line[m_next++]};
    }
    void write_result(std::span<std::byte const> bytes) override {
        std::lock_guard const lock(m_mutex);
        auto const take = [this](Record const& record) { m_records.push_back(record); };
        m_decoder.feed(bytes, take);
        m_decoder.finish(take); // records come whole: what looks like the start of one is none
    }
    /// The next line for the kernel; what was printed and told before is forgotten.
    void type(std::string line) {
        std::lock_guard const lock(m_mutex);
        m_line = std::move(line);
        m_next = 0;
        m_asked = false;
        m_printed.clear();
        m_records.clear();
    }
    /// Whether the kernel has taken the line whole and asked for more.
    bool asked_for_more() const {
        std::lock_guard const lock(m_mutex);
        return m_asked;
    }
    std::string printed() const {
        std::lock_guard const lock(m_mutex);
        return m_printed;
    }
    std::vector<Record> records() const {
        std::lock_guard const lock(m_mutex);
        return m_records;
    }

private:
    mutable std::mutex m_mutex; ///< of all below
    std::string m_line;
    usize m_next = 0;
    bool m_asked = false;
    std::string m_printed;
    std::vector<Record> m_records;
    launch::RecordDecoder m_decoder;
};

u32 cpus = 1; ///< of the machines that are made
std::vector<u32> dead_processors;

/// A machine whose kernel waits for a command.
class Bench {
public:
    Bench() {
        hosted::MachineConfig config;
        config.command_line = "console=pipe";
        config.cpus = cpus;
        config.dead_processors = dead_processors;
        config.devices = selected_twins();
        auto machine = test::make_machine(std::move(config), m_console);
        if (!machine) {
            throw std::runtime_error(machine.error());
        }
        m_machine = std::move(*machine);
        Stop const stop = run_until_asked();
        if (stop.kind != Stop::Kind::waiting_for_input) {
            throw std::runtime_error("the kernel does not start: " + m_console.printed());
        }
    }

    /// Runs one command; false if the kernel is gone afterwards.
    bool run(std::string const& line) {
        m_console.type(line + '\n');
        m_machine->note_input();
        m_stop = run_until_asked();
        return m_stop.kind == Stop::Kind::waiting_for_input;
    }

    std::string describe_end() const {
        return fmt::format(
            "the kernel is gone (stop {}, status {})\n{}\n{}", static_cast<int>(m_stop.kind),
            m_stop.status, m_console.printed(), m_machine->crash_report());
    }

    TestConsole const& console() const { return m_console; }

private:
    /// Until the kernel waits for the next line, or is gone. In between it may wait for interrupts.
    Stop run_until_asked() {
        Stop stop = m_machine->run();
        while (stop.kind == Stop::Kind::waiting_for_input && !m_console.asked_for_more()) {
            m_machine->wait(-1);
            stop = m_machine->run();
        }
        return stop;
    }

    TestConsole m_console;
    std::unique_ptr<Machine> m_machine;
    Stop m_stop{};
};

// What outlives a single case; GoogleTest's cases have no other owner.
std::unique_ptr<Bench> shared_bench;
std::unique_ptr<launch::ResultsFile> results;

void keep(Record const& record) {
    if (results) {
        results->write(record);
    }
}

Bench& working_bench() {
    if (!shared_bench) {
        shared_bench = std::make_unique<Bench>();
        for (Record const& record : shared_bench->console().records()) {
            keep(record); // hello names the machine
        }
    }
    return *shared_bench;
}

/// One kernel test. The command `test NAME` also runs the tests whose names start with NAME; what
/// is told of those is left to their own cases.
class KernelTest : public testing::Test {
public:
    explicit KernelTest(std::string name) : m_name(std::move(name)) {}

    void TestBody() override {
        Bench& bench = working_bench();
        bool const alive = bench.run("test " + m_name);
        for (Record const& record : bench.console().records()) {
            take(record);
        }
        if (!alive) {
            ADD_FAILURE() << bench.describe_end();
            shared_bench.reset();
        } else if (m_outcome.empty()) {
            ADD_FAILURE() << "the kernel reports no end of the test\n" << bench.console().printed();
        } else if (m_outcome == "failed" && !HasFailure()) {
            ADD_FAILURE() << bench.console().printed();
        } else if (m_outcome == "skipped") {
            GTEST_SKIP() << m_reason;
        }
    }

private:
    void take(Record const& record) {
        bool const of_test = record.type == RecordType::test_begin ||
                             record.type == RecordType::test_failure ||
                             record.type == RecordType::test_end;
        if (!of_test || record.text(0) != m_name) {
            return;
        }
        keep(record);
        if (record.type == RecordType::test_failure) {
            ADD_FAILURE_AT(record.text(1).c_str(), static_cast<int>(record.number(2)))
                << "expected " << record.text(3) << '\n'
                << record.text(4);
        } else if (record.type == RecordType::test_end) {
            m_outcome = record.text(1);
            m_reason = record.text(3);
        }
    }

    std::string m_name;
    std::string m_outcome;
    std::string m_reason;
};

void register_tests() {
    for (test::RegisteredTest const& kernel_test : test::registered_tests()) {
        testing::RegisterTest(
            kernel_test.suite.c_str(), kernel_test.name.c_str(), nullptr, nullptr, kernel_test.file,
            kernel_test.line,
            [full = kernel_test.suite + '.' + kernel_test.name]() -> testing::Test* {
                return new KernelTest(full);
            });
    }
}

/// Takes the options that GoogleTest has left; false if one is none.
bool take_options(std::span<char* const> options) {
    // What is no number is 0, which the machine refuses, whatever it is for.
    auto const number_of = [](std::string const& value) {
        return static_cast<u32>(std::strtoul(value.c_str(), nullptr, 10));
    };
    for (usize i = 0; i < options.size(); i += 2) {
        std::string_view const name(options[i]);
        if (i + 1 == options.size()) {
            return false;
        }
        std::string const value(options[i + 1]);
        if (name == "--results") {
            results = std::make_unique<launch::ResultsFile>(value);
        } else if (name == "--cpus") {
            cpus = number_of(value);
        } else if (name == "--dead-processor") {
            dead_processors = {number_of(value)};
        } else if (!test::take_engine_option(name, value)) {
            return false;
        }
    }
    return true;
}

int run_all(int count, char** arguments) {
    testing::InitGoogleTest(&count, arguments);
    if (!take_options(std::span(arguments, static_cast<usize>(count)).subspan(1))) {
        fmt::print(
            stderr, "twofold-test: only --results FILE, --cpus N, --dead-processor N, --gtest_... "
                    "and, where the machine is simulated, --seed N are known\n");
        return 64;
    }
    register_tests();
    int const status = RUN_ALL_TESTS();
    shared_bench.reset();
    if (results) {
        results->flush();
    }
    return status;
}

} // namespace

int main(int count, char** arguments) {
    try {
        return run_all(count, arguments);
    } catch (std::exception const& error) {
        fmt::print(stderr, "twofold-test: {}\n", error.what());
        return 74;
    }
}
