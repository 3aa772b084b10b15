// Cases and outcomes as lines of JSON: there and back, and each mistake with its answer.
#include "apps/json/tree.hpp"
#include "apps/launch/status.hpp"
#include "tests/sim/case/catalogue.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace twofold;
using namespace twofold::sim;

Catalogue const& catalogue() {
    static Catalogue const made = test_catalogue();
    return made;
}

json::Value const* member(json::Value const& object, std::string_view key) {
    auto const found = std::ranges::find(object.members, key, &json::Value::key);
    return found == object.members.end() ? nullptr : &*found;
}

TEST(Case, SaysAllThereIs) {
    auto const made = parse_case(
        R"({"id":17,"workload":"heap","seed":18446744073709551615,"cpus":4,"threads":3,)"
        R"("operations":10,"keep":"0-5,9","schedule":"pct:3",)"
        R"("faults":["interrupt.late:probability=0.01:amount=1000-5000",)"
        R"("points.frames.allocate:at=3,7"],"fault_seed":8,"swarm":true,"costs":"flat",)"
        R"("mutant":"heap_double_free"})",
        catalogue());
    ASSERT_TRUE(made.has_value()) << made.error().reason;
    EXPECT_EQ(made->id, 17u);
    EXPECT_EQ(made->workload, "heap");
    EXPECT_EQ(made->seed, ~u64{0});
    EXPECT_EQ(made->cpus, 4u);
    EXPECT_EQ(made->threads, 3u);
    EXPECT_EQ(made->operations, 10u);
    EXPECT_EQ(made->keep, Ranges::parse("0-5,9"));
    EXPECT_EQ(made->schedule, (Schedule{Schedule::Kind::pct, 3}));
    ASSERT_EQ(made->faults.rules.size(), 2u);
    EXPECT_EQ(made->faults.rules[0].amount_high, 5000u);
    EXPECT_EQ(made->faults.rules[1].at, (std::vector<u64>{3, 7}));
    EXPECT_EQ(made->faults.seed, 8u);
    EXPECT_TRUE(made->faults.swarm);
    EXPECT_EQ(made->costs, "flat");
    EXPECT_EQ(made->mutant, "heap_double_free");
    EXPECT_EQ(parse_case(to_json(*made, catalogue()), catalogue()), *made);
}

TEST(Case, WhatIsLeftOutIsTheWorkloads) {
    auto const made = parse_case(R"({"id":0,"workload":"heap","seed":7})", catalogue());
    ASSERT_TRUE(made.has_value()) << made.error().reason;
    EXPECT_EQ(made->cpus, 2u);
    EXPECT_EQ(made->threads, 4u);
    EXPECT_EQ(made->operations, 64u);
    EXPECT_EQ(made->machines, 1u);
    EXPECT_EQ(made->keep, Ranges::below(64));
    EXPECT_EQ(made->schedule, Schedule());
    EXPECT_EQ(made->faults, hosted::FaultPlan());
    EXPECT_EQ(made->costs, "xeon");
    EXPECT_EQ(made->mutant, "");
    EXPECT_EQ(parse_case(to_json(*made, catalogue()), catalogue()), *made);
    auto const none = parse_case(R"({"id":0,"workload":"heap","seed":7,"keep":""})", catalogue());
    ASSERT_TRUE(none.has_value()) << none.error().reason;
    EXPECT_EQ(none->keep, Ranges());
    EXPECT_EQ(parse_case(to_json(*none, catalogue()), catalogue()), *none);
}

TEST(Case, OfSeveralMachines) {
    auto const made = parse_case(
        R"({"id":0,"workload":"register","seed":7,"faults":["link.lost:at=2:cpu=2"]})",
        catalogue());
    ASSERT_TRUE(made.has_value()) << made.error().reason;
    EXPECT_EQ(made->machines, 3u);
    EXPECT_EQ(parse_case(to_json(*made, catalogue()), catalogue()), *made);
    auto const alone = parse_case(
        R"({"id":0,"workload":"register","seed":7,"machines":1,"schedule":"pct:3",)"
        R"("faults":["power.cut:at=1"]})",
        catalogue());
    ASSERT_TRUE(alone.has_value()) << alone.error().reason;
    EXPECT_EQ(alone->machines, 1u);
    EXPECT_EQ(parse_case(to_json(*alone, catalogue()), catalogue()), *alone);
    auto const reason = [](std::string_view more) {
        auto const wrong = parse_case(
            R"({"id":0,"workload":"register","seed":7,)" + std::string(more) + "}", catalogue());
        return wrong ? "" : wrong.error().reason;
    };
    EXPECT_EQ(
        reason(R"("schedule":"pct:3")"),
        "the schedule pct:3 is of one machine, and the case has 3; write random");
    EXPECT_EQ(
        reason(R"("faults":["power.cut:at=1"])"),
        "fault 'power.cut:at=1': between 3 machines there are faults of links alone, link.lost and "
        "others");
    EXPECT_EQ(
        reason(R"("machines":2,"faults":["link.lost:at=2:cpu=2"])"),
        "fault 'link.lost:at=2:cpu=2': there is no machine 2, as the run has 2; let cpu be at most "
        "1");
    EXPECT_NE(reason(R"("machines":7)").find("from 1 to 6"), std::string::npos);
}

TEST(Case, SchedulesAreReadAndPrinted) {
    for (std::string const text : {"random", "pct:1", "pct:64", "exhaustive:0", "exhaustive:16"}) {
        EXPECT_EQ(text_of(parse_schedule(text)), text);
    }
}

struct Mistake {
    std::string_view more; ///< members of the case
    std::string_view answer;
};
constexpr Mistake mistakes[] = {
    {R"("colour":1)", "colour: the key 'colour' is unknown; there are id, workload, seed, "},
    {R"("cpu":1)", "cpu: the key 'cpu' is unknown; did you mean cpus?"},
    {R"("seed":8)", "seed: this is given twice; leave one out"},
    {R"("cpus":0)", "cpus: 0 is not a whole number from 1 to 64"},
    {R"("cpus":65)", "cpus: 65 is not a whole number from 1 to 64"},
    {R"("cpus":-1)", "cpus: -1 is not a whole number from 1 to 64"},
    {R"("cpus":1.5)", "cpus: 1.5 is not a whole number from 1 to 64"},
    {R"("cpus":null)", "cpus: this is null, and has to be a whole number"},
    {R"("machines":2)", "the workload heap is of one machine, and not of 2"},
    {R"("threads":257)", "threads: 257 is not a whole number from 1 to 256"},
    {R"("operations":1000001)", "operations: 1000001 is not a whole number from 1 to 1000000"},
    {R"("keep":"5-3")", "keep: '5-3' names no operations; write numbers and ranges, as in"},
    {R"("keep":[1])", "keep: this is an array, and has to be a text"},
    {R"("keep":"64")", "keep names the operation 64, and the last is 63; name others, or let"},
    {R"("operations":4,"keep":"1-7")", "keep names the operation 7, and the last is 3"},
    {R"("schedule":"rand")", "the schedule 'rand' is none of random, pct:N and exhaustive:N"},
    {R"("schedule":"random:3")", "the schedule 'random:3' has no number; write random"},
    {R"("schedule":"pct")", "the schedule 'pct' needs a number from 1 to 64, as in pct:2"},
    {R"("schedule":"pct:0")", "the schedule 'pct:0' needs a number from 1 to 64"},
    {R"("schedule":"pct:2x")", "the schedule 'pct:2x' needs a number from 1 to 64"},
    {R"("schedule":"exhaustive:17")", "the schedule 'exhaustive:17' needs a number from 0"},
    {R"("faults":"cpu.slow:at=1")", "faults: this is a text, and has to be an array"},
    {R"("faults":[1])", "faults[0]: this is a whole number, and has to be a text"},
    {R"("faults":["cpu.slo:at=1"])", "the fault 'cpu.slo' is unknown; did you mean cpu.slow?"},
    {R"("faults":["cpu.slow:at=1","cpu.slow:at=1"])", "both name the occurrence 1; leave it"},
    {R"("faults":["cpu.slow:at=1:cpu=2"])", "there is no processor 2, as the run has 2"},
    {R"("swarm":1)", "swarm: this is a whole number, and has to be a boolean"},
    {R"("costs":"flet")", "the table of costs 'flet' is unknown; did you mean flat?"},
    {R"("mutant":"heap")", "the mutant 'heap' is unknown; there are base_align_up, heap_"},
    {R"("a\nb":1)", "the key 'a?b' is unknown"},
    {R"("x":)", "Invalid value"},
};

TEST(Case, EachMistakeIsAnswered) {
    for (Mistake const& mistake : mistakes) {
        std::string const line =
            R"({"id":5,"workload":"heap","seed":7,)" + std::string(mistake.more) + "}";
        auto const made = parse_case(line, catalogue());
        ASSERT_FALSE(made.has_value()) << line;
        EXPECT_NE(made.error().reason.find(mistake.answer), std::string::npos)
            << line << "\nis answered: " << made.error().reason;
        EXPECT_EQ(made.error().reason.find('\n'), std::string::npos) << made.error().reason;
        // The key that JSON itself objects to comes before anything has been taken.
        bool const is_json = mistake.more != R"("x":)";
        EXPECT_EQ(made.error().id, is_json ? std::optional<u64>(5) : std::nullopt) << line;
    }
}

TEST(Case, WhatItNeedsIsSaid) {
    auto const reason = [](std::string_view line) {
        auto const made = parse_case(line, catalogue());
        return made ? "" : made.error().reason;
    };
    EXPECT_EQ(reason(R"({"id":1,"seed":7})"), "case:1: a case needs the key workload");
    EXPECT_EQ(reason(R"({"id":1,"workload":"heap"})"), "case:1: a case needs the key seed");
    EXPECT_EQ(reason(R"({"workload":"heap","seed":7})"), "case:1: a case needs the key id");
    EXPECT_EQ(
        reason(R"({"id":1,"workload":"haep","seed":7})"),
        "the workload 'haep' is unknown; did you mean heap?");
    EXPECT_EQ(reason("[]"), "case:1: this is an array, and has to be an object");
    EXPECT_NE(reason(""), "");
    EXPECT_NE(reason("{"), "");
    Catalogue plain = test_catalogue();
    plain.mutants.clear();
    auto const made =
        parse_case(R"({"id":1,"workload":"heap","seed":7,"mutant":"heap_double_free"})", plain);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(
        made.error().reason,
        "the mutant 'heap_double_free' is not in this build, which has none; build the preset "
        "bugs");
}

TEST(Outcome, IsOneLine) {
    Outcome outcome{
        .id = 17,
        .failure = CaseFailure{FailureKind::panic, "no\nframe", "a \"report\"\nof lines"},
        .hash = 0x5EED,
        .events = 9,
        .virtual_ns = 10,
        .host_ns = 11,
        .operations = Ranges::parse("0-5,9").value(),
        .faults = {{"interrupt.late", {1000, 2, {3, 7}}}},
        .points = {{"frames.allocate", 10, 2}}};
    EXPECT_EQ(
        to_json(outcome),
        R"({"id":17,"outcome":"failed","failure":{"kind":"panic","text":"no?frame",)"
        R"("report":"a \"report\"\nof lines"},"hash":"0000000000005eed","events":9,)"
        R"("virtual_ns":10,"host_ns":11,"operations":["0-5","9"],)"
        R"("faults":{"interrupt.late":{"asked":1000,"fired":[3,7]}},)"
        R"("points":{"frames.allocate":{"reached":10,"fired":2}}})");
    outcome = {.id = 1};
    EXPECT_EQ(
        to_json(outcome),
        R"({"id":1,"outcome":"passed","hash":"0000000000000000","events":0,"virtual_ns":0,)"
        R"("host_ns":0,"operations":[],"faults":{},"points":{}})");
    EXPECT_EQ(to_json(CaseError{3, "so"}), R"({"id":3,"error":"so"})");
    EXPECT_EQ(to_json(CaseError{{}, "so"}), R"({"id":null,"error":"so"})");
}

TEST(Outcome, EveryKindOfFailureHasItsName) {
    std::string_view const names[] = {"panic",  "status", "deadlock", "stall",
                                      "oracle", "crash",  "hash"};
    for (u32 i = 0; i < std::size(names); ++i) {
        Outcome const outcome{.failure = CaseFailure{static_cast<FailureKind>(i), "t", ""}};
        EXPECT_NE(
            to_json(outcome).find("{\"kind\":\"" + std::string(names[i]) + "\""), std::string::npos)
            << names[i];
    }
}

TEST(Outcome, CarriesWhatTheInjectorCounted) {
    auto const made = parse_case(
        R"({"id":1,"workload":"heap","seed":7,"faults":["cpu.slow:at=2",)"
        R"("points.heap.commit:at=1,3","timer.jitter:at=1"]})",
        catalogue());
    ASSERT_TRUE(made.has_value()) << made.error().reason;
    hosted::FaultInjector injector(catalogue().faults, made->faults, made->seed);
    for (u32 i = 0; i < 4; ++i) {
        injector.fires(hosted::fault_id(hosted::EngineFault::cpu_slow), 0, 0);
        injector.fires(hosted::fault_id(FaultPoint::heap_commit), 0, 0);
    }
    Outcome outcome;
    add_counts(outcome, injector, catalogue().faults);
    EXPECT_NE(
        to_json(outcome).find(R"("faults":{"cpu.slow":{"asked":4,"fired":[2]},)"
                              R"("points.heap.commit":{"asked":4,"fired":[1,3]}},)"
                              R"("points":{"heap.commit":{"reached":4,"fired":2}})"),
        std::string::npos)
        << to_json(outcome);
}

TEST(Catalogue, DescribesItself) {
    std::string const text = describe(catalogue());
    EXPECT_EQ(text.find('\n'), std::string::npos);
    json::Value const root = json::parse("d", text);
    ASSERT_NE(member(root, "build"), nullptr);
    EXPECT_EQ(member(root, "build")->text, "5eed");
    ASSERT_NE(member(root, "workloads"), nullptr);
    ASSERT_EQ(member(root, "workloads")->members.size(), 3u);
    EXPECT_EQ(member(member(root, "workloads")->members[2], "machines")->integer, 3);
    json::Value const& pools = member(root, "workloads")->members[1];
    EXPECT_EQ(member(pools, "name")->text, "pools");
    EXPECT_EQ(member(pools, "about")->text, "takes \"objects\"");
    EXPECT_EQ(member(pools, "operations")->integer, 32);
    EXPECT_EQ(member(pools, "cpus")->integer, 1);
    EXPECT_EQ(member(pools, "threads")->integer, 1);
    EXPECT_EQ(member(pools, "machines")->integer, 1);
    ASSERT_NE(member(root, "faults"), nullptr);
    auto const& faults = member(root, "faults")->members;
    EXPECT_EQ(
        faults.size(),
        static_cast<usize>(hosted::EngineFault::count) + hosted::device_fault_kinds().size());
    EXPECT_EQ(member(faults[1], "name")->text, "interrupt.late");
    EXPECT_EQ(member(faults[1], "unit")->text, "ns");
    EXPECT_EQ(member(faults[1], "amount")->integer, 5000);
    EXPECT_EQ(member(root, "points")->members.size(), fault_points);
    EXPECT_EQ(member(root, "points")->members[0].text, "frames.allocate");
    EXPECT_EQ(member(root, "mutants")->members[1].text, "heap_double_free");
    EXPECT_EQ(member(root, "costs")->members[0].text, "xeon");
}

} // namespace
