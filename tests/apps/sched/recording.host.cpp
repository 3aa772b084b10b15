// Recorded schedules: what is made of the lines of perf and of trace-cmd.
#include "apps/sched/recording.hpp"
#include "apps/launch/status.hpp"
#include "core/sched/sched.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>

using namespace twofold;
using namespace twofold::lab;

namespace {

using Kind = OperationKind;

std::string refusal_of_recording(std::string_view text) {
    try {
        read_recording("record.txt", text);
    } catch (launch::Failure const& failure) {
        return failure.what();
    }
    return "";
}

/// Wake-ups and the work behind each, in microseconds: "NAME AT+WORK AT+WORK ...".
std::map<std::string, std::string> work(OwnedWorkload const& workload) {
    std::map<std::string, std::string> found;
    for (Task const& task : workload.tasks) {
        std::string text;
        for (u32 at = task.program; workload.operations[at].kind != Kind::exit; at += 3) {
            text += (text.empty() ? "" : " ") +
                    std::to_string(workload.operations[at].amount / 1000) + "+" +
                    std::to_string(workload.operations[at + 1].amount / 1000);
        }
        found[std::string(task.name.view())] = text;
    }
    return found;
}

struct Who {
    char const* name;
    int pid;
    int priority = 120;
};

constexpr Who idle{"swapper/1", 0};
constexpr Who a{"a", 1};
constexpr Who b{"b c", 2, 110};
constexpr Who rt{"rt", 3, 49};

/// A line as `perf sched script` prints it, `us` microseconds after 10 s.
std::string line(Who const& who, int cpu, int us, std::string const& event) {
    return fmt::format("{:>16} {:5} [{:03}] 10.{:06}: {}\n", who.name, who.pid, cpu, us, event);
}

std::string change(int cpu, int us, Who const& from, char const* state, Who const& to) {
    return line(
        from, cpu, us,
        fmt::format(
            "sched:sched_switch: prev_comm={} prev_pid={} prev_prio={} prev_state={} ==> "
            "next_comm={} next_pid={} next_prio={}",
            from.name, from.pid, from.priority, state, to.name, to.pid, to.priority));
}

std::string wake(int cpu, int us, Who const& by, Who const& who, char const* event) {
    return line(
        by, cpu, us,
        fmt::format(
            "sched:{}: comm={} pid={} prio={} target_cpu=001", event, who.name, who.pid,
            who.priority));
}

std::string const of_perf =
    "# a comment\n" + line(a, 0, 0, "sched:sched_stat_runtime: comm=a pid=1 runtime=49826 [ns]") +
    wake(0, 100, a, b, "sched_waking") + change(1, 110, idle, "R", b) + change(0, 200, a, "R", rt) +
    change(0, 250, rt, "S", a) + change(1, 310, b, "D|K", idle) +
    wake(1, 400, idle, b, "sched_wakeup") + change(1, 410, idle, "R", b) +
    change(1, 500, b, "R+", idle) + change(0, 600, a, "X", idle);

TEST(Recording, PerfsLines) {
    EXPECT_TRUE(is_recording(of_perf));
    OwnedWorkload const made = read_recording("record.txt", of_perf);
    EXPECT_EQ(made.cpus.size(), 2u);
    EXPECT_EQ(made.duration.value, 600'000);
    std::map<std::string, std::string> const expected = {
        {"a:1", "0+550"}, {"b c:2", "100+200 400+90"}, {"rt:3", "200+50"}};
    EXPECT_EQ(work(made), expected);
    for (Task const& task : made.tasks) {
        Scheduling const& scheduling = made.schedulings[task.schedule];
        EXPECT_EQ(scheduling.demand, task.name.view() == "rt:3" ? Demand::fifo : Demand::ordinary);
        if (task.name.view() == "b c:2") {
            EXPECT_EQ(scheduling.weight, sched::weight_of_nice(-10).value());
        }
    }
}

TEST(Recording, TheShortFormAndFtracesFlags) {
    constexpr std::string_view text =
        "cpus=2\n"
        "CPU 1 is empty\n"
        "          <idle>-0     [000] d..2.    10.000000: sched_wakeup: x:y:5 [120] CPU:000\n"
        "          <idle>-0     [000] d..2.    10.000010: sched_switch: swapper/0:0 [120] R ==> "
        "x:y:5 [120]\n"
        "             x:y-5     [000] d..2.    10.000060: sched_switch: x:y:5 [120] S ==> "
        "swapper/0:0 [120]\n";
    EXPECT_TRUE(is_recording(text));
    OwnedWorkload const made = read_recording("record.txt", text);
    EXPECT_EQ(work(made), (std::map<std::string, std::string>{{"x:y:5", "0+50"}}));
}

TEST(Recording, TextThatIsNone) {
    EXPECT_FALSE(is_recording("{}"));
    EXPECT_FALSE(is_recording(""));
    EXPECT_FALSE(is_recording("hello\nworld\n"));
}

TEST(Recording, LinesThatMakeNoSense) {
    std::string const first = "a 1 [000] 1.0: sched_wakeup: b:2 [120] CPU:000\n";
    EXPECT_EQ(
        refusal_of_recording(first + "hello\n"),
        "record.txt:2: this is no line of `perf sched script` or `trace-cmd report`");
    EXPECT_EQ(
        refusal_of_recording(first + "a 1 [000] 0.5: sched_wakeup: b:2 [120] CPU:000\n"),
        "record.txt:2: the time goes back");
    EXPECT_EQ(
        refusal_of_recording(first + "a 1 [000] 2.0: sched_switch: a:1 [120] S\n"),
        "record.txt:2: sched_switch does not say who goes and who comes");
    EXPECT_EQ(
        refusal_of_recording(first + "a 1 [000] 2.0: sched_wakeup: somebody\n"),
        "record.txt:2: a wake-up does not say of whom");
    EXPECT_EQ(refusal_of_recording("# nothing\n"), "record.txt: nothing was recorded");
    EXPECT_EQ(
        refusal_of_recording("a 1 [064] 1.0: sched_wakeup: b:2 [120] CPU:000\n"),
        "record.txt:1: this is no line of `perf sched script` or `trace-cmd report`");
}

} // namespace
