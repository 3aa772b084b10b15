// Recorded schedules: they come back from bytes, and a difference is named.
#include "apps/launch/status.hpp"
#include "apps/sched/generators.hpp"
#include "apps/sched/machines.hpp"
#include "apps/sched/switch_cost.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

using namespace twofold;
using namespace twofold::lab;

namespace {

constexpr i64 ms = 1'000'000;

OwnedWorkload generated(std::string_view name, u64 seed = 1) {
    return generate(*find_generator(name), {.cpus = 2, .seed = seed, .duration = {200 * ms}});
}

RunOptions under(std::string_view policy, i64 switch_cost = 0) {
    return {.policy = std::string(policy), .switch_cost = {switch_cost}, .duration = {200 * ms}};
}

/// What a kernel would record of a schedule, as lines of results.
std::string results_of(std::string_view policy, Schedule const& schedule) {
    std::string lines = "{\"type\":\"ready\",\"cycles\":1}\n";
    auto const add = [&](std::string_view name, std::span<std::byte const> bytes) {
        lines += fmt::format(
            "{{\"type\":\"value\",\"scenario\":\"sched {}\",\"name\":\"{}\",\"bytes\":\"", policy,
            name);
        for (std::byte const byte : bytes) {
            lines += fmt::format("{:02x}", static_cast<u8>(byte));
        }
        lines += "\"}\n";
    };
    auto const add_number = [&](std::string_view name, u64 number) {
        std::string const digits = fmt::format("{}", number);
        add(name, std::as_bytes(std::span(digits)));
    };
    u64 pieces = 0;
    for (usize at = 0; at < schedule.happenings.size(); at += 900) {
        auto const rest = std::span(schedule.happenings).subspan(at);
        add(fmt::format("{}", pieces++), rest.first(std::min<usize>(rest.size(), 900)));
    }
    add_number("pieces", pieces);
    add_number("happenings", schedule.count);
    add_number("checksum", schedule.checksum());
    add_number("end", static_cast<u64>(schedule.end.value));
    for (usize cpu = 0; cpu < schedule.overheads.size(); ++cpu) {
        add_number(
            fmt::format("overhead {}", cpu), static_cast<u64>(schedule.overheads[cpu].value));
    }
    return lines;
}

std::string without_line(std::string text, std::string_view word) {
    usize const at = text.find(word);
    usize const begin = text.rfind('\n', at) + 1;
    return text.erase(begin, text.find('\n', at) + 1 - begin);
}

void expect_not_whole(
    Workload const& workload, std::string const& results, std::string_view reason) {
    try {
        static_cast<void>(read_schedules(workload, "results", results));
        ADD_FAILURE() << "taken, though " << reason;
    } catch (launch::Failure const& failure) {
        EXPECT_EQ(failure.status(), launch::Status::io);
        EXPECT_NE(std::string(failure.what()).find(reason), std::string::npos) << failure.what();
    }
}

} // namespace

TEST(Happenings, ComeBackFromBytes) {
    Happening const all[] = {
        {.kind = HappeningKind::run, .cpu = 63, .thread = nobody, .now = {0}},
        {.kind = HappeningKind::wake, .cpu = 0, .thread = 99'999, .other = 127, .now = {128}},
        {.kind = HappeningKind::late, .thread = 0, .now = {128}, .amount = -1},
        {.kind = HappeningKind::job, .thread = 1, .now = {time_max}, .amount = INT64_MIN},
        {.kind = HappeningKind::violate, .cpu = 1, .now = {INT64_MAX}, .amount = INT64_MAX}};
    std::vector<std::byte> bytes;
    HappeningWriter writer;
    for (Happening const& happening : all) {
        auto const one = writer.write(happening);
        EXPECT_LE(one.size(), happening_bytes_max);
        bytes.insert(bytes.end(), one.begin(), one.end());
    }
    HappeningReader reader(bytes);
    for (Happening const& happening : all) {
        Happening const back = reader.read().value();
        EXPECT_EQ(back.kind, happening.kind);
        EXPECT_EQ(back.cpu, happening.cpu);
        EXPECT_EQ(back.thread, happening.thread);
        EXPECT_EQ(back.other, happening.other);
        EXPECT_EQ(back.now, happening.now);
        EXPECT_EQ(back.amount, happening.amount);
    }
    EXPECT_TRUE(reader.at_end());
}

TEST(Happenings, AreRefusedIfTheyAreNone) {
    auto const error_of = [](std::initializer_list<int> numbers) {
        std::vector<std::byte> bytes;
        for (int const number : numbers) {
            bytes.push_back(static_cast<std::byte>(number));
        }
        HappeningReader reader(bytes);
        auto const read = reader.read();
        return read ? std::nullopt : std::optional(read.error());
    };
    EXPECT_FALSE(error_of({0x10, 0, 0, 5}));
    EXPECT_EQ(error_of({}), Error::truncated);
    EXPECT_EQ(error_of({0x10, 0, 0}), Error::truncated);
    EXPECT_EQ(error_of({0x00, 0x80}), Error::truncated);
    EXPECT_EQ(error_of({0x09, 0, 0}), Error::corrupted);       // no such kind
    EXPECT_EQ(error_of({0x80, 0, 0}), Error::corrupted);       // no such flag
    EXPECT_EQ(error_of({0x00, 0x80, 0, 0}), Error::corrupted); // longer than it need be
    EXPECT_EQ(error_of({0x40, 0, 0, 0}), Error::corrupted);    // an amount of 0 is not told
    EXPECT_EQ(error_of({0x10, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}), Error::corrupted); // nobody
    EXPECT_EQ(
        error_of({0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0}),
        Error::corrupted); // a time of 2^64 - 1
    EXPECT_EQ(
        error_of({0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0}),
        Error::corrupted); // more than 64 bits
}

TEST(Schedules, AReplayIsTheRun) {
    OwnedWorkload const owned = generated("convoy");
    Workload const workload = owned.view();
    Schedule const schedule = record_schedule(workload, under("eevdf", 1000));
    ScheduleDigest digest;
    Sinks sinks{.all = {&digest}};
    RunOutcome const live = run_workload(workload, under("eevdf", 1000), sinks);
    RunOutcome const replayed = replay_schedule(workload, schedule, {});
    EXPECT_GT(schedule.count, 500u);
    EXPECT_EQ(digest.count(), schedule.count);
    EXPECT_EQ(digest.checksum(), schedule.checksum());
    ASSERT_EQ(live.figures.threads.size(), replayed.figures.threads.size());
    for (usize i = 0; i < live.figures.threads.size(); ++i) {
        EXPECT_EQ(live.figures.threads[i].ran, replayed.figures.threads[i].ran);
        EXPECT_EQ(
            live.figures.threads[i].wake_latencies, replayed.figures.threads[i].wake_latencies);
        EXPECT_EQ(live.figures.threads[i].fair, replayed.figures.threads[i].fair);
    }
    EXPECT_GT(replayed.figures.cpus[0].overhead.value, 0);
    EXPECT_EQ(live.figures.cpus[0].overhead, replayed.figures.cpus[0].overhead);
    EXPECT_EQ(compare_schedules(workload, schedule, schedule), std::nullopt);
}

TEST(Schedules, EveryFlippedBitIsADifference) {
    OwnedWorkload const owned = generated("messaging");
    Workload const workload = owned.view();
    Schedule const schedule = record_schedule(workload, under("rr"));
    for (usize bit = 0; bit < usize{8} * 100; ++bit) {
        Schedule changed = schedule;
        changed.happenings[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        auto const difference = compare_schedules(workload, schedule, changed);
        ASSERT_TRUE(difference) << bit;
        EXPECT_TRUE(difference->starts_with("happening ")) << *difference;
    }
}

TEST(Schedules, TheFirstDifferenceIsNamed) {
    OwnedWorkload const owned = generated("interactive");
    Workload const workload = owned.view();
    Schedule const schedule = record_schedule(workload, under("eevdf"));
    EXPECT_TRUE(compare_schedules(workload, schedule, record_schedule(workload, under("rr"))));

    HappeningReader reader(schedule.happenings);
    std::vector<usize> places; // where each begins
    std::vector<Happening> read;
    while (!reader.at_end()) {
        places.push_back(reader.position());
        read.push_back(reader.read().value());
    }
    Schedule shorter = schedule;
    shorter.happenings.resize(places.back());
    auto const difference = compare_schedules(workload, schedule, shorter);
    ASSERT_TRUE(difference);
    EXPECT_TRUE(difference->starts_with(
        fmt::format("happening {}: nothing more, and not: ", places.size() - 1)))
        << *difference;

    // Somebody else runs.
    usize at = 0;
    while (read[at].kind != HappeningKind::run || read[at].thread != 2) {
        ++at;
    }
    Schedule changed = schedule;
    changed.happenings.clear();
    HappeningWriter writer;
    read[at].thread = 1;
    for (Happening const& happening : read) {
        auto const bytes = writer.write(happening);
        changed.happenings.insert(changed.happenings.end(), bytes.begin(), bytes.end());
    }
    EXPECT_EQ(
        compare_schedules(workload, schedule, changed),
        fmt::format(
            "happening {}: 'batch 1' runs on cpu {} at {} ns, and not: 'batch 2' runs on cpu {} "
            "at {} ns",
            at, read[at].cpu, read[at].now.value, read[at].cpu, read[at].now.value));
}

TEST(Schedules, EndsCostsAndRefusalsCount) {
    OwnedWorkload const owned = generated("interactive");
    Workload const workload = owned.view();
    Schedule const schedule = record_schedule(workload, under("eevdf"));
    Schedule changed = schedule;
    changed.end = {1};
    EXPECT_EQ(
        compare_schedules(workload, schedule, changed), "it ends at 1 ns, and not at 200000000 ns");
    changed = schedule;
    changed.overheads[1] = {1};
    EXPECT_EQ(compare_schedules(workload, schedule, changed), "switches have cost something else");
    changed.refusal = Refusal{.thread = 3, .error = Error::no_space, .reason = ""};
    EXPECT_EQ(
        compare_schedules(workload, schedule, changed),
        "thread 'batch 3' is refused (no_space), and not: no thread is refused");
    EXPECT_EQ(compare_schedules(workload, changed, changed), std::nullopt);
}

TEST(Results, GiveTheScheduleBack) {
    OwnedWorkload const owned = generated("server");
    Workload const workload = owned.view();
    Schedule const rr = record_schedule(workload, under("rr", 500));
    Schedule const stride = record_schedule(workload, under("stride"));
    auto const read =
        read_schedules(workload, "results", results_of("rr", rr) + results_of("stride", stride));
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(compare_schedules(workload, rr, read.at("rr")), std::nullopt);
    EXPECT_EQ(compare_schedules(workload, stride, read.at("stride")), std::nullopt);
    EXPECT_TRUE(read_schedules(workload, "results", "").empty());
}

TEST(Results, AreRefusedIfTheyAreNotWhole) {
    OwnedWorkload const owned = generated("server");
    Workload const workload = owned.view();
    Schedule const schedule = record_schedule(workload, under("eevdf"));
    ASSERT_GT(schedule.happenings.size(), 900u); // several pieces
    std::string const whole = results_of("eevdf", schedule);
    for (std::string_view const name :
         {"0", "1", "pieces", "happenings", "checksum", "end", "overhead 0", "overhead 1"}) {
        std::string const member = fmt::format("\"name\":\"{}\"", name);
        expect_not_whole(workload, without_line(whole, member), fmt::format("value '{}'", name));
    }
    std::string changed = whole;
    usize const digit = changed.find("\"bytes\":\"") + 9;
    changed[digit] = changed[digit] == '1' ? '2' : '1';
    expect_not_whole(workload, changed, "its checksum is another");
}

TEST(Results, OfLiveThreadsAreRefusedIfTheyAreNotWhole) {
    WorkloadBuilder builder("one");
    builder.set_cpus(equal_cpus(1, 1));
    builder.set_duration({ms});
    builder.begin_task("t", 0, {}, ~Affinity{}, {});
    builder.finish_task();
    OwnedWorkload const owned = builder.finish();
    Workload const workload = owned.view();
    auto const line = [](std::string_view name, std::string_view text) {
        std::string hex;
        for (char const letter : text) {
            hex += fmt::format("{:02x}", static_cast<u8>(letter));
        }
        return fmt::format(
            "{{\"type\":\"value\",\"scenario\":\"live rr\",\"name\":\"{}\",\"bytes\":\"{}\"}}\n",
            name, hex);
    };
    std::string const samples(16, '\1');
    std::string const whole = line("lasted", "1000") + line("cpu 0", "400 3 0") +
                              line("thread 0", "2 1 1 0 3 2 1 600 50") +
                              line("latencies 0 0", samples) +
                              line("responses 0 0", samples.substr(8));
    RunOutcome const outcome = read_live_runs(workload, "results", whole).at("rr");
    EXPECT_EQ(outcome.figures.cpus[0].busy.value, 600);
    EXPECT_EQ(outcome.figures.threads[0].wake_latencies.size(), 2u);
    EXPECT_EQ(outcome.figures.threads[0].responses[0], 0x0101'0101'0101'0101);
    EXPECT_EQ(outcome.figures.threads[0].waited.value, 50);
    auto const expect_refused = [&](std::string const& results, std::string_view reason) {
        try {
            static_cast<void>(read_live_runs(workload, "results", results));
            ADD_FAILURE() << "taken, though " << reason;
        } catch (launch::Failure const& failure) {
            EXPECT_NE(std::string(failure.what()).find(reason), std::string::npos);
        }
    };
    for (std::string_view const name :
         {"lasted", "cpu 0", "thread 0", "latencies 0 0", "responses 0 0"}) {
        expect_refused(
            without_line(whole, fmt::format("\"{}\"", name)),
            fmt::format("there is no value '{}'", name));
    }
    // A later value of a name takes the place of the first.
    expect_refused(whole + line("latencies 0 0", samples + samples), "has 32 bytes");
    expect_refused(whole + line("latencies 0 0", samples.substr(1)), "has 15 bytes");
    expect_refused(whole + line("latencies 0 0", ""), "has 0 bytes");
    expect_refused(whole + line("cpu 0", "400 3"), "the value 'cpu 0' is '400 3'");
    expect_refused(whole + line("cpu 0", "400 3 0 1"), "the value 'cpu 0' is");
    expect_refused(whole + line("lasted", "-1"), "the value 'lasted' is '-1'");
    expect_refused(
        whole + line("thread 0", "2 1 1 0 3 2 1 600 9223372036854775808"),
        "the value 'thread 0' is");
    std::string const refused = line("refused thread", "0") + line("refused error", "no_space");
    EXPECT_EQ(
        read_live_runs(workload, "results", refused).at("rr").refusal->error, Error::no_space);
    expect_refused(line("refused thread", "1"), "the value 'refused thread' is '1'");
    expect_refused(
        line("refused thread", "0") + line("refused error", "bored"), "no error 'bored'");
}

TEST(SwitchCost, IsMeasuredUnderEveryPolicy) {
    for (std::string_view const policy : Classes::names) {
        Nanos const cost = measure_switch_cost(policy);
        EXPECT_GE(cost.value, 1) << policy;
        EXPECT_LT(cost.value, ms) << policy;
    }
}
