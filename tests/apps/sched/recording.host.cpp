// Recorded schedules: what is made of the lines of perf and of trace-cmd.
#include "apps/sched/recording.hpp"
#include "apps/launch/status.hpp"
#include "core/sched/sched.hpp"

#include <gtest/gtest.h>

#include <map>

using namespace twofold;
using namespace twofold::lab;

namespace {

using Kind = OperationKind;

std::string refusal(std::string_view text) {
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

constexpr std::string_view of_perf = R"(# a comment
    a   1 [000] 10.000000: sched:sched_stat_runtime: comm=a pid=1 runtime=49826 [ns]
    a   1 [000] 10.000100: sched:sched_waking: comm=b c pid=2 prio=110 target_cpu=001
swapper 0 [001] 10.000110: sched:sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=b c next_pid=2 next_prio=110
    a   1 [000] 10.000200: sched:sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=R ==> next_comm=rt next_pid=3 next_prio=49
   rt   3 [000] 10.000250: sched:sched_switch: prev_comm=rt prev_pid=3 prev_prio=49 prev_state=S ==> next_comm=a next_pid=1 next_prio=120
  b c   2 [001] 10.000310: sched:sched_switch: prev_comm=b c prev_pid=2 prev_prio=110 prev_state=D|K ==> next_comm=swapper/1 next_pid=0 next_prio=120
swapper 0 [001] 10.000400: sched:sched_wakeup: comm=b c pid=2 prio=110 target_cpu=001
swapper 0 [001] 10.000410: sched:sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=b c next_pid=2 next_prio=110
  b c   2 [001] 10.000500: sched:sched_switch: prev_comm=b c prev_pid=2 prev_prio=110 prev_state=R+ ==> next_comm=swapper/1 next_pid=0 next_prio=120
    a   1 [000] 10.000600: sched:sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=X ==> next_comm=swapper/0 next_pid=0 next_prio=120
)";

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
        refusal(first + "hello\n"),
        "record.txt:2: this is no line of `perf sched script` or `trace-cmd report`");
    EXPECT_EQ(
        refusal(first + "a 1 [000] 0.5: sched_wakeup: b:2 [120] CPU:000\n"),
        "record.txt:2: the time goes back");
    EXPECT_EQ(
        refusal(first + "a 1 [000] 2.0: sched_switch: a:1 [120] S\n"),
        "record.txt:2: sched_switch does not say who goes and who comes");
    EXPECT_EQ(
        refusal(first + "a 1 [000] 2.0: sched_wakeup: somebody\n"),
        "record.txt:2: a wake-up does not say of whom");
    EXPECT_EQ(refusal("# nothing\n"), "record.txt: nothing was recorded");
    EXPECT_EQ(
        refusal("a 1 [064] 1.0: sched_wakeup: b:2 [120] CPU:000\n"),
        "record.txt:1: this is no line of `perf sched script` or `trace-cmd report`");
}

} // namespace
