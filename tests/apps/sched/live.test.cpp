// Live runs inside of a kernel: its own threads execute programs, wait for each other, and end in
// time whatever they wait for.
#include "apps/sched/kernel/live_run.hpp"
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::lab;

namespace {

using Kind = OperationKind;

constexpr i64 micro = 1'000;
constexpr i64 milli = 1'000'000;
constexpr Nanos long_enough{20'000 * milli};
constexpr Nanos short_run{20 * milli};

constexpr Cpu one_cpu[] = {{}};
constexpr Affinity anywhere[] = {~Affinity{}};
constexpr Scheduling ordinary[] = {{}, {.weight = 512}};
constexpr Queue queues[] = {{.capacity = 1}};
constexpr u32 barriers[] = {2};

/// Threads that begin at the operations behind each `exit`.
struct Programs {
    FixedVector<Task, 8> tasks;
    Workload workload;

    Programs(std::span<Operation const> operations, Nanos duration) {
        bool begins = true;
        for (u32 i = 0; i < operations.size(); ++i) {
            if (begins) {
                tasks.push_back({.name = Name::create("t").value(), .program = i}).value();
            }
            begins = operations[i].kind == Kind::exit;
        }
        workload = {
            .cpus = one_cpu,
            .tasks = tasks.items(),
            .operations = operations,
            .schedulings = ordinary,
            .affinities = anywhere,
            .queues = queues,
            .barriers = barriers,
            .mutexes = 16,
            .conditions = 1,
            .timers = 1,
            .devices = 1,
            .duration = duration};
    }
};

using Made = Result<memory::Box<LiveRun, memory::KernelHeap>>;

Made make(Programs const& programs, std::string_view policy = "eevdf") {
    CHECK(check_workload(programs.workload).has_value());
    boot::Kernel& kernel = boot::current_kernel();
    return LiveRun::create(*kernel.heap, *kernel.threads, programs.workload, policy);
}

} // namespace

TEST(LabLive, ThreadsComputeSleepAndEndJobs) {
    constexpr Operation operations[] = {
        {.kind = Kind::begin, .amount = 3},
        {.kind = Kind::run, .amount = 2 * milli},
        {.kind = Kind::finish, .amount = 1},
        {.kind = Kind::sleep, .amount = milli},
        {.kind = Kind::repeat, .object = 1},
        {.kind = Kind::exit},
        {.kind = Kind::runtime, .amount = milli},
        {.kind = Kind::until, .amount = 5 * milli},
        {.kind = Kind::schedule, .object = 1},
        {.kind = Kind::move, .object = 0},
        {.kind = Kind::yield},
        {.kind = Kind::finish},
        {.kind = Kind::exit}};
    Programs const programs(operations, long_enough);
    auto const run = make(programs);
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE(run.value()->run().has_value());
    EXPECT_FALSE(run.value()->refusal().has_value());
    LiveThread const& first = run.value()->threads()[0];
    EXPECT_GE(first.counts.ran.value, 6 * milli);
    EXPECT_EQ(first.responses.size(), 3u);
    EXPECT_EQ(first.late, 3u);             // none can be done within a nanosecond
    EXPECT_EQ(first.latencies.size(), 4u); // its start, and three times
    for (i64 const latency : first.latencies) {
        EXPECT_GE(latency, 0);
    }
    for (i64 const response : first.responses) {
        EXPECT_GE(response, 2 * milli);
    }
    LiveThread const& second = run.value()->threads()[1];
    EXPECT_GE(second.counts.ran.value, milli);
    EXPECT_EQ(second.responses.size(), 1u);
    EXPECT_EQ(second.late + second.refused, 0u);
    EXPECT_GE(run.value()->lasted().value, 9 * milli);
    EXPECT_LT(run.value()->lasted(), long_enough);
    EXPECT_GE(run.value()->cpus()[0].switches, 2u);
}

TEST(LabLive, ThreadsWaitForEachOther) {
    constexpr Operation operations[] = {
        {.kind = Kind::begin, .amount = 5},
        {.kind = Kind::lock},
        {.kind = Kind::run, .amount = 100 * micro},
        {.kind = Kind::unlock},
        {.kind = Kind::send},
        {.kind = Kind::barrier},
        {.kind = Kind::finish},
        {.kind = Kind::repeat, .object = 1},
        {.kind = Kind::exit},
        {.kind = Kind::begin, .amount = 5},
        {.kind = Kind::lock},
        {.kind = Kind::run, .amount = 100 * micro},
        {.kind = Kind::unlock},
        {.kind = Kind::receive},
        {.kind = Kind::barrier},
        {.kind = Kind::finish},
        {.kind = Kind::repeat, .object = 10},
        {.kind = Kind::exit}};
    Programs const programs(operations, long_enough);
    for (std::string_view const policy : {"eevdf", "rr", "stride", "batch", "inference"}) {
        auto const run = make(programs, policy);
        ASSERT_TRUE(run.has_value());
        ASSERT_TRUE(run.value()->run().has_value());
        for (LiveThread const& thread : run.value()->threads()) {
            EXPECT_EQ(thread.responses.size(), 5u);
            EXPECT_GE(thread.counts.ran.value, 500 * micro);
        }
        EXPECT_LT(run.value()->lasted(), long_enough);
    }
}

TEST(LabLive, ConditionsWakeWithAMutexAndWithout) {
    // One processor, and priorities: the first two wait before the third runs.
    constexpr Operation operations[] = {
        {.kind = Kind::lock},
        {.kind = Kind::wait, .amount = 0},
        {.kind = Kind::finish},
        {.kind = Kind::exit},
        {.kind = Kind::wait, .amount = no_mutex},
        {.kind = Kind::finish},
        {.kind = Kind::exit},
        {.kind = Kind::lock},
        {.kind = Kind::broadcast},
        {.kind = Kind::unlock},
        {.kind = Kind::exit}};
    constexpr Scheduling priorities[] = {{.priority = 2}, {.priority = 1}};
    Programs programs(operations, long_enough);
    programs.workload.schedulings = priorities;
    programs.tasks[2].schedule = 1;
    auto const run = make(programs, "fifo");
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE(run.value()->run().has_value());
    EXPECT_EQ(run.value()->threads()[0].responses.size(), 1u);
    EXPECT_EQ(run.value()->threads()[1].responses.size(), 1u);
    EXPECT_LT(run.value()->lasted(), long_enough);
}

TEST(LabLive, AllAreThereBeforeOneRuns) {
    // The first computes without end and is stronger than who starts it; the second goes before it.
    constexpr Operation operations[] = {
        {.kind = Kind::begin, .amount = forever},
        {.kind = Kind::run, .amount = milli},
        {.kind = Kind::repeat, .object = 1},
        {.kind = Kind::exit},
        {.kind = Kind::run, .amount = micro},
        {.kind = Kind::finish},
        {.kind = Kind::exit}};
    constexpr Scheduling priorities[] = {{.priority = 1}, {.priority = 2}};
    Programs programs(operations, short_run);
    programs.workload.schedulings = priorities;
    programs.tasks[1].schedule = 1;
    for (std::string_view const policy : {"fifo", "rr"}) {
        auto const run = make(programs, policy);
        ASSERT_TRUE(run.has_value());
        ASSERT_TRUE(run.value()->run().has_value());
        EXPECT_EQ(run.value()->threads()[1].responses.size(), 1u);
        EXPECT_GE(run.value()->threads()[0].counts.ran, run.value()->threads()[1].counts.ran);
    }
}

TEST(LabLive, ATimerKeepsItsTimes) {
    constexpr Operation operations[] = {
        {.kind = Kind::begin, .amount = 5},
        {.kind = Kind::timer, .amount = 2 * milli},
        {.kind = Kind::repeat, .object = 1},
        {.kind = Kind::run, .amount = 4 * milli},
        {.kind = Kind::timer, .mode = TimerMode::absolute, .amount = micro},
        {.kind = Kind::exit}};
    Programs const programs(operations, long_enough);
    auto const run = make(programs);
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE(run.value()->run().has_value());
    LiveThread const& thread = run.value()->threads()[0];
    EXPECT_EQ(thread.responses.size(), 6u);
    EXPECT_GE(thread.late, 1u); // the last
    EXPECT_GE(run.value()->lasted().value, 14 * milli);
}

TEST(LabLive, WhoWaitsForEverEndsInTime) {
    // Two wait for each other's mutexes, one for its own, and one loops without end.
    constexpr Operation operations[] = {
        {.kind = Kind::lock, .object = 0},
        {.kind = Kind::barrier},
        {.kind = Kind::lock, .object = 1},
        {.kind = Kind::exit},
        {.kind = Kind::lock, .object = 1},
        {.kind = Kind::barrier},
        {.kind = Kind::lock, .object = 0},
        {.kind = Kind::exit},
        {.kind = Kind::lock, .object = 2},
        {.kind = Kind::lock, .object = 2},
        {.kind = Kind::exit},
        {.kind = Kind::begin, .amount = forever},
        {.kind = Kind::yield},
        {.kind = Kind::unlock, .object = 0},
        {.kind = Kind::repeat, .object = 12},
        {.kind = Kind::exit}};
    Programs const programs(operations, short_run);
    auto const run = make(programs);
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE(run.value()->run().has_value());
    EXPECT_GE(run.value()->lasted(), short_run);
}

TEST(LabLive, ThereIsABoundOnTheMutexesOfOneThread) {
    Operation operations[LiveThread::locks_max + 2];
    for (u32 i = 0; i <= LiveThread::locks_max; ++i) {
        operations[i] = {.kind = Kind::lock, .object = i};
    }
    Programs const programs(operations, short_run);
    auto const run = make(programs);
    ASSERT_TRUE(run.has_value());
    auto const outcome = run.value()->run();
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error(), Error::no_space);
}

TEST(LabLive, AThreadThatIsNotAdmittedIsNamedAndNoneRuns) {
    constexpr Operation operations[] = {
        {.kind = Kind::run, .amount = milli},
        {.kind = Kind::exit},
        {.kind = Kind::run},
        {.kind = Kind::exit}};
    constexpr Scheduling wanted[] = {
        {}, {.demand = Demand::deadline, .runtime = {20 * milli}, .period = {10 * milli}}};
    Programs programs(operations, short_run);
    programs.tasks[1].schedule = 1;
    programs.workload.schedulings = wanted;
    auto const run = make(programs);
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE(run.value()->run().has_value());
    ASSERT_TRUE(run.value()->refusal().has_value());
    EXPECT_EQ(run.value()->refusal()->thread, 1u);
    EXPECT_TRUE(run.value()->threads()[0].latencies.empty()); // it did not even start
    EXPECT_FALSE(make(programs, "fair").has_value());
}

TEST(LabLive, WhatCannotBeLiveIsSaid) {
    constexpr Operation operations[] = {{.kind = Kind::offload, .amount = 1}, {.kind = Kind::exit}};
    Programs programs(operations, short_run);
    EXPECT_EQ(live_objection(programs.workload), "the operation 'offload' needs a device");
    programs.workload.operations = std::span(operations).last(1);
    EXPECT_EQ(live_objection(programs.workload), "");
    constexpr Cpu slow[] = {{}, {.capacity = 512}};
    programs.workload.cpus = slow;
    EXPECT_EQ(live_objection(programs.workload), "a processor is slower than others");
    programs.workload.cpus = one_cpu;
    constexpr Queue narrow[] = {{.capacity = 0}};
    programs.workload.queues = narrow;
    EXPECT_EQ(live_objection(programs.workload), "a queue has no room for a message");
}
