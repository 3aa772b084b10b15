// Plans of faults as people write them: both forms, there and back, and each mistake with its
// answer.
#include "sim/plan/plan.hpp"
#include "apps/launch/status.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <unistd.h>

namespace {

using namespace twofold;
using namespace twofold::sim;
using hosted::EngineFault;
using hosted::fault_id;
using hosted::FaultKind;
using hosted::FaultKinds;
using hosted::FaultPlan;
using hosted::FaultRule;
using hosted::FaultUnit;

constexpr FaultKind device_kinds[] = {
    {"disk.torn", "a write is torn", FaultUnit::count, 512, 0.01}};

FaultKinds const& kinds() {
    static FaultKinds const all(device_kinds);
    return all;
}

/// The line with which it fails, which has to be one for a person; empty if it does not.
std::string
refusal(std::function<void()> const& act, launch::Status status = launch::Status::usage) {
    try {
        act();
    } catch (launch::Failure const& failure) {
        EXPECT_EQ(failure.status(), status) << failure.what();
        return failure.what();
    }
    return "";
}

std::string rule_refusal(std::string const& text) {
    return refusal([&] { parse_rule(text, kinds()); });
}

std::string plan_refusal(std::string const& text) {
    return refusal([&] { parse_plan("p.toml", text, kinds()); });
}

std::string there_and_back(std::string const& text) {
    return rule_text(parse_rule(text, kinds()), kinds());
}

TEST(FaultRuleText, SaysAllThereIs) {
    FaultRule const rule = parse_rule(
        "interrupt.late:probability=0.01:from=5ms:until=2s:amount=1000-5000:cpu=3:limit=9",
        kinds());
    EXPECT_EQ(rule.kind, fault_id(EngineFault::interrupt_late));
    EXPECT_EQ(rule.probability, 0.01);
    EXPECT_TRUE(rule.at.empty());
    EXPECT_EQ(rule.from_ns, 5'000'000);
    EXPECT_EQ(rule.until_ns, 2'000'000'000);
    EXPECT_EQ(rule.amount_low, 1000u);
    EXPECT_EQ(rule.amount_high, 5000u);
    EXPECT_EQ(rule.cpu, 3u);
    EXPECT_EQ(rule.limit, 9u);

    FaultRule const exact = parse_rule("points.frames.allocate:at=7,3", kinds());
    EXPECT_EQ(exact.at, (std::vector<u64>{3, 7}));
    EXPECT_EQ(exact.probability, 0);
    EXPECT_EQ(exact.until_ns, FaultRule::forever);
    EXPECT_EQ(exact.limit, FaultRule::unlimited);
    EXPECT_FALSE(exact.cpu.has_value());
    EXPECT_EQ(parse_rule("disk.torn:at=1", kinds()).amount_low, 512u);
}

TEST(FaultRuleText, IsPrintedAsItIsRead) {
    for (std::string const text :
         {"interrupt.late:probability=0.01:from=5ms:until=2s:amount=1000-5000:cpu=3:limit=9",
          "points.frames.allocate:at=3,7", "power.cut:at=12", "cpu.slow:probability=1:amount=2",
          "timer.jitter:probability=1e-18", "message.lost:at=1:from=1ns:until=2ns",
          "disk.torn:probability=0.3333333333333333:limit=4611686018427387904"}) {
        EXPECT_EQ(there_and_back(text), text);
    }
    EXPECT_EQ(there_and_back("cpu.slow:at=2,1:amount=10"), "cpu.slow:at=1,2") << "the usual amount";
    EXPECT_EQ(there_and_back("cpu.slow:at=1:until=3000us:from=0s"), "cpu.slow:at=1:until=3ms");
    EXPECT_EQ(there_and_back("cpu.slow:probability=0.50"), "cpu.slow:probability=0.5");
}

TEST(FaultRuleText, EachMistakeIsAnswered) {
    struct Mistake {
        std::string text;
        std::string answer;
    };
    Mistake const mistakes[] = {
        {"interrupt.lat:at=3",
         "the fault 'interrupt.lat' is unknown; did you mean interrupt.late?"},
        {"", "fault '': the fault '' is unknown; there are interrupt.lost, "},
        {"cpu.slow:at=1:cpus=1", "the key 'cpus' is unknown; did you mean cpu?"},
        {"cpu.slow:at=1:colour=red", "the key 'colour' is unknown; there are probability, at, "},
        {"cpu.slow:at=1:", "'' is no key=value"},
        {"cpu.slow:at", "'at' is no key=value"},
        {"cpu.slow", "nothing says when it happens; add probability=P or at=N,N"},
        {"cpu.slow:at=1:at=2", "at is given twice; leave one out"},
        {"cpu.slow:at=1:probability=0.5", "probability and at contradict each other; leave one"},
        {"cpu.slow:at=1,2,1", "at names the occurrence 1 twice; name it once"},
        {"cpu.slow:at=0", "at is '0', and has to be a whole number from 1 to 4611686018427387904"},
        {"cpu.slow:at=", "at is '', and has to be a whole number"},
        {"cpu.slow:at=1,,2", "at is '', and has to be a whole number"},
        {"cpu.slow:at=1 ", "at is '1 ', and has to be a whole number"},
        {"cpu.slow:at=99999999999999999999", "at is '99999999999999999999', and has to be"},
        {"cpu.slow:probability=0", "probability is '0', and has to be above 0 and at most 1"},
        {"cpu.slow:probability=1.1", "probability is '1.1', and has to be above 0 and at most 1"},
        {"cpu.slow:probability=-1", "probability is '-1', and has to be above 0 and at most 1"},
        {"cpu.slow:probability=nan", "probability is 'nan', and has to be above 0 and at most 1"},
        {"cpu.slow:probability=1%", "probability is '1%', and has to be above 0 and at most 1"},
        {"cpu.slow:at=1:until=5ms:from=5ms", "until (5ms) is not behind from (5ms)"},
        {"cpu.slow:at=1:until=0ns", "until (0ns) is not behind from (0ns)"},
        {"cpu.slow:at=1:from=5",
         "from is '5', and has to be a moment of virtual time in ns, us, ms"},
        {"cpu.slow:at=1:from=1.5ms", "from is '1.5ms', and has to be a moment"},
        {"cpu.slow:at=1:from=5min", "from is '5min', and has to be a moment"},
        {"cpu.slow:at=1:until=9223372037s", "until is '9223372037s', and has to be a moment"},
        {"cpu.slow:at=1:until=9223372036854775807ns", "and has to be a moment"},
        {"power.cut:at=1:amount=5", "power.cut has no amount; leave 'amount' out"},
        {"cpu.slow:at=1:amount=9-5", "amount is '9-5', from more to less; write 5-9"},
        {"cpu.slow:at=1:amount=1", "amount is '1', and has to be a whole number from 2 to 1000000"},
        {"interrupt.storm:at=1:amount=100001",
         "amount is '100001', and has to be a whole number from 1 to 100000"},
        {"timer.jitter:at=1:amount=0", "amount is '0', and has to be a whole number from 1 to "},
        {"timer.jitter:at=1:amount=5us", "amount is '5us', and has to be a whole number"},
        {"timer.jitter:at=1:amount=5-", "amount is '', and has to be a whole number"},
        {"timer.jitter:at=1:amount=-5", "amount is '', and has to be a whole number"},
        {"cpu.slow:at=1:cpu=64", "cpu is '64', and has to be a whole number from 0 to 63"},
        {"cpu.slow:at=1:limit=0", "limit is '0', and has to be a whole number from 1 to "},
        {"cpu.slow\n:at=1", "fault 'cpu.slow?:at=1': the fault 'cpu.slow?' is unknown; did you"},
    };
    for (Mistake const& mistake : mistakes) {
        std::string const line = rule_refusal(mistake.text);
        EXPECT_NE(line.find(mistake.answer), std::string::npos)
            << mistake.text << "\nis answered: " << line;
        EXPECT_EQ(line.find("fault '"), 0u) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
}

TEST(FaultRuleText, SeveralMustNotContradictEachOther) {
    auto const answer = [](std::vector<std::string> const& texts) {
        return refusal([&] { parse_rules(texts, kinds()); });
    };
    EXPECT_EQ(
        answer({"cpu.slow:at=1,5", "timer.jitter:at=5", "cpu.slow:at=3,5"}),
        "fault 'cpu.slow:at=3,5' and fault 'cpu.slow:at=1,5': both name the occurrence 5; leave "
        "it out of one");
    EXPECT_EQ(
        answer({"power.cut:probability=0.5", "power.cut:at=5"}),
        "fault 'power.cut:at=5' and fault 'power.cut:probability=0.5': one by probability and "
        "one at exact occurrences; leave one of them out");
    // What cannot both be about one occurrence is no contradiction.
    EXPECT_EQ(answer({"cpu.slow:at=5:cpu=0", "cpu.slow:at=5:cpu=1"}), "");
    EXPECT_EQ(answer({"cpu.slow:at=5:until=1s", "cpu.slow:at=5:from=1s"}), "");
    EXPECT_EQ(answer({"cpu.slow:at=5", "cpu.slow:probability=0.1"}), "");
    EXPECT_EQ(answer({}), "");
    EXPECT_NE(answer({"cpu.slow:at=5:cpu=0", "cpu.slow:at=5"}), "");
}

constexpr char const* whole_plan = R"(# What a week does to a machine.
swarm = true
seed = 7

[[fault]]
name = "interrupt.late"
probability = 0.01
from = "5ms"
amount = "1000-5000"

[[fault]]
name = "points.heap.commit"
at = [7, 3]

[[fault]]
at = 12
name = "power.cut"

[[fault]]
name = "cpu.slow"
probability = 1
amount = 0x10
cpu = 1
limit = 2
)";

TEST(FaultPlanFile, SaysAllThereIs) {
    FaultPlan const plan = parse_plan("p.toml", whole_plan, kinds());
    EXPECT_TRUE(plan.swarm);
    EXPECT_EQ(plan.seed, 7u);
    ASSERT_EQ(plan.rules.size(), 4u);
    std::vector<std::string> const same = {
        "interrupt.late:probability=0.01:from=5ms:amount=1000-5000", "points.heap.commit:at=3,7",
        "power.cut:at=12", "cpu.slow:probability=1:amount=16:cpu=1:limit=2"};
    EXPECT_EQ(plan.rules, parse_rules(same, kinds()));
    EXPECT_EQ(parse_plan("p", "\xEF\xBB\xBF# \xC3\xA4\n" + std::string(whole_plan), kinds()), plan);
    FaultPlan const bare = parse_plan("p.toml", "swarm = true", kinds());
    EXPECT_TRUE(bare.swarm && bare.rules.empty() && !bare.seed);
}

TEST(FaultPlanFile, IsPrintedAsItIsRead) {
    FaultPlan plan = parse_plan("p.toml", whole_plan, kinds());
    EXPECT_EQ(parse_plan("p.toml", plan_toml(plan, kinds()), kinds()), plan);
    plan.seed = ~u64{0};
    plan.swarm = false;
    std::string const text = plan_toml(plan, kinds());
    EXPECT_EQ(parse_plan("p.toml", text, kinds()), plan) << text;
    EXPECT_NE(text.find("seed = \"18446744073709551615\"\n"), std::string::npos) << text;
}

TEST(FaultPlanFile, EachMistakeIsAnsweredWithFileAndLine) {
    struct Mistake {
        std::string text;
        std::string answer;
    };
    std::string const slow = "[[fault]]\nname = \"cpu.slow\"\n";
    Mistake const mistakes[] = {
        {"", "p.toml: the file is empty; a plan has [[fault]] tables, or swarm = true"},
        {" \n\n", "p.toml: the file is empty"},
        {"# nothing\n", "p.toml: nothing can fail under it; add a [[fault]], or swarm = true"},
        {"seed = 4\nswarm = false\n", "p.toml: nothing can fail under it"},
        {"fault = []", "p.toml: nothing can fail under it"},
        {"cpu.slow at 7\n", "p.toml:1: this is not TOML: "},
        {"\n[[fault]\n", "p.toml:2: this is not TOML: "},
        {std::string(
             "\x7f"
             "ELF\2\1\1\0\0\0",
             10),
         "p.toml:1: this is not TOML: "},
        {"swarm = true\nswarm = false\n", "p.toml:2: this is not TOML: "},
        {"swarm = true\nsead = 1", "p.toml:2: sead: the key 'sead' is unknown; did you mean seed?"},
        {"swarm = 1", "p.toml:1: swarm: this is a whole number, and has to be a boolean"},
        {"seed = -1", "p.toml:1: seed: -1 is not a whole number from 0 to 18446744073709551615"},
        {"seed = 18446744073709551615", "p.toml:1: this is not TOML: "},
        {"seed = 1.5", "p.toml:1: seed: 1.5 is not a whole number"},
        {"seed = []", "p.toml:1: seed: this is an array, and has to be a whole number"},
        {"[fault]\nname = \"cpu.slow\"",
         "fault: each fault is a table of its own; write [[fault]]"},
        {"fault = [1]", "p.toml:1: fault[0]: each fault is a table; write [[fault]]"},
        {"[[fault]]\nat = 1", "p.toml:1: fault 1: nothing says which fault; add name = \"...\""},
        {"[[fault]]\nname = 1", "p.toml:1: fault 1: name has to be a text"},
        {"\n[[fault]]\nname = \"cpu.lsow\"\nat = 1",
         "p.toml:2: fault 1: the fault 'cpu.lsow' is unknown; did you mean cpu.slow?"},
        {slow, "p.toml:1: fault 1 (cpu.slow): nothing says when it happens"},
        {slow + "at = 1\n" + slow + "probability = 2\n",
         "p.toml:4: fault 2 (cpu.slow): probability is '2', and has to be above 0 and at most 1"},
        {slow + "probability = nan", "p.toml:1: fault 1 (cpu.slow): probability is 'nan', and"},
        {slow + "at = -1", "fault 1 (cpu.slow): at is '-1', and has to be a whole number from 1"},
        {slow + "at = []", "fault 1 (cpu.slow): at is '', and has to be a whole number from 1"},
        {slow + "at = [1.5]", "fault 1 (cpu.slow): 'at' has to be of whole numbers"},
        {slow + "at = [[1]]", "fault 1 (cpu.slow): 'at' has to be of whole numbers"},
        {slow + "at = true", "'at' is a boolean, and has to be a number or a text"},
        {slow + "at = 2026-01-01", "'at' is null, and has to be a number or a text"},
        {slow + "at = {a = 1}", "'at' is an object, and has to be a number or a text"},
        {slow + "at = 1\nat = 2", "p.toml:4: this is not TOML: "},
        {slow + "at = 1\nprobability = 0.1", "probability and at contradict each other"},
        {slow + "at = 1\nfrom = 7", "from is '7', and has to be a moment of virtual time"},
        {slow + "at = 1\nfrom = \"2s\"\nuntil = \"1s\"", "until (1s) is not behind from (2s)"},
        {slow + "at = 1\namount = \"9-3\"", "amount is '9-3', from more to less; write 3-9"},
        {slow + "at = 1\n\"a\\nb\" = 3", "the key 'a?b' is unknown; there are probability, "},
        {"[[fault]]\nname = \"power.cut\"\nat = 1\namount = 3",
         "p.toml:1: fault 1 (power.cut): power.cut has no amount; leave 'amount' out"},
        {slow + "at = [1, 2]\n" + slow + "at = [2, 3]\n",
         "p.toml:4: fault 2 and p.toml:1: fault 1: both name the occurrence 2; leave it out of "
         "one"},
        {"[[fault]]\nname = \"power.cut\"\nat = 1\n[[fault]]\nname = \"power.cut\"\n"
         "probability = 0.1",
         "p.toml:4: fault 2 and p.toml:1: fault 1: one by probability and one at exact"},
        {"na\xc3\xafve = 1", "p.toml:1: this is not TOML: "},
        {"\xca\x9e\n", "p.toml:1: this is not TOML: "},
        {"x = " + std::string(1000, '['), "p.toml:1: this is not TOML: "},
    };
    for (Mistake const& mistake : mistakes) {
        std::string const line = plan_refusal(mistake.text);
        EXPECT_NE(line.find(mistake.answer), std::string::npos)
            << mistake.text << "\nis answered: " << line;
        EXPECT_EQ(line.find("p.toml:"), 0u) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
}

TEST(FaultPlanFile, IsReadFromAFile) {
    std::filesystem::path const folder =
        std::filesystem::temp_directory_path() / ("twofold-plan-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    auto const answer = [&](std::filesystem::path const& path, launch::Status status) {
        return refusal([&] { read_plan(path, kinds()); }, status);
    };
    std::filesystem::path const file = folder / "plan.toml";
    EXPECT_NE(answer(file, launch::Status::io).find("plan.toml': No such file"), std::string::npos);
    EXPECT_NE(
        answer(folder, launch::Status::usage).find("this is a folder; name a file"),
        std::string::npos);
    std::ofstream(file) << whole_plan;
    EXPECT_EQ(read_plan(file, kinds()), parse_plan("p", whole_plan, kinds()));
    std::ofstream(file) << "swarm = 3";
    EXPECT_NE(answer(file, launch::Status::usage).find("plan.toml:1: swarm"), std::string::npos);
    std::ofstream(file) << std::string((usize{1} << 20) + 1, '#');
    EXPECT_NE(
        answer(file, launch::Status::usage).find("more than 1048576 bytes"), std::string::npos);
    std::ofstream(file) << "";
    EXPECT_NE(answer(file, launch::Status::usage).find("file is empty"), std::string::npos);
    std::filesystem::remove_all(folder);
}

TEST(FaultPlan, FlagsAreAddedToAFile) {
    FaultPlan const file = parse_plan("p.toml", whole_plan, kinds());
    std::vector<std::string> const texts = {"message.late:at=4"};
    FaultPlan const flags{.rules = parse_rules(texts, kinds())};
    FaultPlan const both = merge_plans(file, flags, kinds());
    ASSERT_EQ(both.rules.size(), 5u);
    EXPECT_EQ(both.rules.back(), flags.rules.front());
    EXPECT_TRUE(both.swarm);
    EXPECT_EQ(both.seed, 7u);
    EXPECT_EQ(merge_plans(file, {.seed = 8}, kinds()).seed, 8u);
    EXPECT_TRUE(merge_plans({}, {.swarm = true}, kinds()).swarm);
    std::vector<std::string> const again = {"points.heap.commit:at=7"};
    EXPECT_EQ(
        refusal([&] { merge_plans(file, {.rules = parse_rules(again, kinds())}, kinds()); }),
        "fault 'points.heap.commit:at=7' and fault 'points.heap.commit:at=3,7': both name the "
        "occurrence 7; leave it out of one");
}

TEST(FaultPlan, ProcessorsHaveToExist) {
    FaultPlan const plan = parse_plan("p.toml", whole_plan, kinds());
    EXPECT_EQ(refusal([&] { require_processors(plan, 2, kinds()); }), "");
    EXPECT_EQ(
        refusal([&] { require_processors(plan, 1, kinds()); }),
        "fault 'cpu.slow:probability=1:amount=16:cpu=1:limit=2': there is no processor 1, as the "
        "run has 1; let cpu be at most 0");
}

} // namespace
