// Tables and JSON. See report.hpp.
#include "apps/sched/report.hpp"

#include "apps/sched/groups.hpp"

#include "apps/sched/perfetto_trace.hpp"
#include "core/sched/sched.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace twofold::lab {

namespace {

constexpr double ns_per_us = 1e3;
constexpr double ns_per_ms = 1e6;
constexpr double ns_per_s = 1e9;

std::string micro(i64 ns) {
    return fmt::format("{:.1f}", static_cast<double>(ns) / ns_per_us);
}

std::string milli(double ns) {
    return fmt::format("{:.3f}", ns / ns_per_ms);
}

Nanos total_busy(RunFigures const& figures) {
    Nanos sum{};
    for (CpuFigures const& cpu : figures.cpus) {
        sum = sum + cpu.busy;
    }
    return sum;
}

Nanos total_overhead(RunFigures const& figures) {
    Nanos sum{};
    for (CpuFigures const& cpu : figures.cpus) {
        sum = sum + cpu.overhead;
    }
    return sum;
}

/// Of the processors' time, in percent.
double percent_of_cpus(RunFigures const& figures, Nanos time) {
    double const all =
        static_cast<double>(figures.duration.value) * static_cast<double>(figures.cpus.size());
    return all == 0 ? 0 : 100 * static_cast<double>(time.value) / all;
}

double jobs_per_second(RunFigures const& figures, Group const& group) {
    double const seconds = static_cast<double>(figures.duration.value) / ns_per_s;
    return seconds == 0 ? 0 : static_cast<double>(group.figures.responses.size()) / seconds;
}

std::string group_line(RunFigures const& figures, Group group) {
    std::string const name =
        group.threads == 1 ? group.name : fmt::format("{} x{}", group.name, group.threads);
    std::string line = fmt::format("{:<24}", name.substr(0, 24));
    for (u32 const permille : reported_permilles) {
        line += fmt::format(
            " {:>10}", group.figures.wake_latencies.empty()
                           ? "-"
                           : micro(percentile(group.figures.wake_latencies, permille)));
    }
    line += fmt::format(
        " {:>8.2f} {:>9.1f} {:>7} {:>8} {:>8}", percent_of_cpus(figures, group.figures.ran),
        jobs_per_second(figures, group), group.figures.late, group.figures.switches,
        group.figures.migrations);
    line += group.parts.empty() ? fmt::format(" {:>9} {:>9} {:>7}", "-", "-", "-")
                                : fmt::format(
                                      " {:>9} {:>9} {:>7.4f}", milli(group.figures.lag_max),
                                      milli(group.figures.lag_min), jain_index(group.parts));
    return line + '\n';
}

std::string heading(Workload const& workload, ReportedSetting const& setting) {
    return fmt::format(
        "workload     {}, {} threads, {} processors, {:.3f} s, seed {}\n"
        "machine      {}\n",
        setting.workload, workload.tasks.size(), workload.cpus.size(),
        static_cast<double>(setting.duration.value) / ns_per_s, setting.seed, setting.machine);
}

std::string cost_text(ReportedSetting const& setting, ReportedRun const& run) {
    return run.switch_cost ? fmt::format(
                                 ", {} ns a switch{}", run.switch_cost->value,
                                 setting.is_cost_measured ? " (measured)" : "")
                           : "";
}

std::string refusal_line(Workload const& workload, ReportedRun const& run) {
    Refusal const& refusal = *run.outcome.refusal;
    return fmt::format(
        "refused by admission control: thread '{}': {} ({})",
        thread_names(workload)[refusal.thread], refusal.reason, error_name(refusal.error));
}

std::string trouble(Workload const& workload, RunFigures const& figures) {
    std::string text;
    if (figures.stuck != nobody) {
        text += fmt::format(
            "the run ended early: thread '{}' goes round and never takes time\n",
            thread_names(workload)[figures.stuck]);
    }
    if (figures.violation != 0) {
        text += fmt::format(
            "the policy gave a wrong answer: {}\n",
            sched::violation_name(static_cast<sched::Violation>(figures.violation)));
    }
    return text;
}

std::string fairness_text(RunFigures const& figures) {
    auto const index = fairness(figures);
    return index ? fmt::format("{:.6f}", *index) : "-";
}

/// A line of a comparison.
struct Row {
    std::string_view name;
    std::string (*value)(RunFigures const&, Group&);
};
constexpr Row compared[] = {
    {"latency p50 us",
     [](RunFigures const&, Group& all) {
         return micro(percentile(all.figures.wake_latencies, 500));
     }},
    {"latency p90 us",
     [](RunFigures const&, Group& all) {
         return micro(percentile(all.figures.wake_latencies, 900));
     }},
    {"latency p99 us",
     [](RunFigures const&, Group& all) {
         return micro(percentile(all.figures.wake_latencies, 990));
     }},
    {"latency p99.9 us",
     [](RunFigures const&, Group& all) {
         return micro(percentile(all.figures.wake_latencies, 999));
     }},
    {"latency max us",
     [](RunFigures const&, Group& all) {
         return micro(percentile(all.figures.wake_latencies, 1000));
     }},
    {"response p99 us",
     [](RunFigures const&, Group& all) { return micro(percentile(all.figures.responses, 990)); }},
    {"jobs/s", [](RunFigures const& figures,
                  Group& all) { return fmt::format("{:.1f}", jobs_per_second(figures, all)); }},
    {"late jobs",
     [](RunFigures const&, Group& all) { return fmt::format("{}", all.figures.late); }},
    {"fairness (Jain)", [](RunFigures const& figures, Group&) { return fairness_text(figures); }},
    {"lag max ms",
     [](RunFigures const&, Group& all) {
         return all.parts.empty() ? std::string("-") : milli(all.figures.lag_max);
     }},
    {"busy %",
     [](RunFigures const& figures, Group&) {
         return fmt::format("{:.2f}", percent_of_cpus(figures, total_busy(figures)));
     }},
    {"switches",
     [](RunFigures const&, Group& all) { return fmt::format("{}", all.figures.switches); }},
    {"preemptions",
     [](RunFigures const&, Group& all) { return fmt::format("{}", all.figures.preemptions); }},
    {"migrations",
     [](RunFigures const&, Group& all) { return fmt::format("{}", all.figures.migrations); }},
    {"energy J", [](RunFigures const& figures, Group&) {
         return figures.has_energy ? fmt::format("{:.3f}", figures.energy_mj / 1000)
                                   : std::string("-");
     }}};

} // namespace

std::string run_table(
    Workload const& workload, ReportedSetting const& setting, ReportedRun const& run, bool each) {
    std::string text = heading(workload, setting) +
                       fmt::format("policy       {}{}\n", run.policy, cost_text(setting, run));
    if (run.outcome.refusal) {
        return text + refusal_line(workload, run) + '\n';
    }
    RunFigures const& figures = run.outcome.figures;
    if (run.schedule) {
        text += fmt::format(
            "schedule     {} happenings, checksum {:08x}\n", run.schedule->happenings,
            run.schedule->checksum);
    }
    Nanos const busy = total_busy(figures);
    text += fmt::format("processors   {:.2f} % busy", percent_of_cpus(figures, busy));
    if (run.switch_cost) {
        text += fmt::format(
            ", {:.3f} % of that for switches",
            busy == Nanos{} ? 0
                            : 100 * static_cast<double>(total_overhead(figures).value) /
                                  static_cast<double>(busy.value));
    }
    text += fmt::format("; fairness {}\n", fairness_text(figures));
    if (figures.has_energy) {
        text += fmt::format("energy       {:.3f} J\n", figures.energy_mj / 1000);
    }
    text += trouble(workload, figures);
    text += fmt::format(
        "\n{:<24} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8} {:>9} {:>7} {:>8} {:>8} {:>9} {:>9} "
        "{:>7}\n",
        "wake-up latency in us", "p50", "p90", "p99", "p99.9", "max", "cpu %", "jobs/s", "late",
        "switches", "moves", "lag ms", "ahead ms", "jain");
    auto const names = thread_names(workload);
    auto const groups = group_by(figures, [&](u32 i) {
        return each ? names[i] : std::string(workload.tasks[i].name.view());
    });
    for (Group const& group : groups) {
        text += group_line(figures, group);
    }
    text += '\n';
    for (Group const& group :
         group_by(figures, [&](u32 i) { return fmt::format("= {}", demand_of(workload, i)); })) {
        text += group_line(figures, group);
    }
    return text;
}

std::string compare_table(
    Workload const& workload,
    ReportedSetting const& setting,
    std::vector<ReportedRun> const& runs) {
    std::string text = heading(workload, setting) + fmt::format("\n{:<18}", "");
    std::vector<Group> groups;
    for (ReportedRun const& run : runs) {
        text += fmt::format(" {:>14}", run.policy);
        groups.push_back(run.outcome.refusal ? Group{} : whole(run.outcome.figures));
    }
    text += fmt::format("\n{:<18}", setting.is_cost_measured ? "measured switch ns" : "switch ns");
    for (ReportedRun const& run : runs) {
        text += run.switch_cost ? fmt::format(" {:>14}", run.switch_cost->value)
                                : fmt::format(" {:>14}", "-");
    }
    text += fmt::format("\n{:<18}", "checksum");
    for (ReportedRun const& run : runs) {
        text += fmt::format(
            " {:>14}", run.schedule ? fmt::format("{:08x}", run.schedule->checksum) : "-");
    }
    for (Row const& row : compared) {
        text += fmt::format("\n{:<18}", row.name);
        for (usize i = 0; i < runs.size(); ++i) {
            text += fmt::format(
                " {:>14}", runs[i].outcome.refusal ? std::string("refused")
                                                   : row.value(runs[i].outcome.figures, groups[i]));
        }
    }
    text += '\n';
    for (ReportedRun const& run : runs) {
        std::string const trouble_of_run = run.outcome.refusal
                                               ? refusal_line(workload, run) + '\n'
                                               : trouble(workload, run.outcome.figures);
        text += trouble_of_run.empty() ? "" : fmt::format("\n{}: {}", run.policy, trouble_of_run);
    }
    return text;
}

} // namespace twofold::lab
