// The JSON of a report. See report.hpp; the schema is in docs/laboratory.md.
#include "apps/json/writer.hpp"
#include "apps/sched/groups.hpp"
#include "apps/sched/perfetto_trace.hpp"
#include "apps/sched/report.hpp"
#include "core/sched/sched.hpp"

#include <fmt/format.h>

namespace twofold::lab {

namespace {

constexpr std::string_view percentile_names[] = {"p50", "p90", "p99", "p99.9", "max"};

void append_distribution(
    std::string& out, json::Writer& owner, std::string_view name, std::vector<i64> values) {
    owner.key(name);
    json::Writer made(out, '{');
    made.number("count", values.size());
    for (usize i = 0; i < std::size(reported_permilles); ++i) {
        if (values.empty()) {
            made.null(percentile_names[i]);
        } else {
            made.number(percentile_names[i], percentile(values, reported_permilles[i]));
        }
    }
}

void append_figures(std::string& out, json::Writer& owner, ThreadFigures const& figures) {
    append_distribution(out, owner, "wake_latency_ns", figures.wake_latencies);
    append_distribution(out, owner, "response_ns", figures.responses);
    owner.number("jobs", figures.responses.size());
    owner.number("late", figures.late);
    owner.number("wakes", figures.wakes);
    owner.number("switches", figures.switches);
    owner.number("preemptions", figures.preemptions);
    owner.number("migrations", figures.migrations);
    owner.number("refused", figures.refused);
    owner.number("ran_ns", figures.ran.value);
    owner.number("waited_ns", figures.waited.value);
    owner.number("lag_max_ns", static_cast<i64>(figures.lag_max));
    owner.number("lag_min_ns", static_cast<i64>(figures.lag_min));
}

void append_threads(std::string& out, Workload const& workload, RunFigures const& figures) {
    json::Writer threads(out, '[');
    for (u32 i = 0; i < figures.threads.size(); ++i) {
        threads.separate();
        json::Writer thread(out, '{');
        Task const& task = workload.tasks[i];
        thread.text("name", task.name.view());
        thread.number("instance", task.instance);
        thread.text("demand", demand_of(workload, i));
        thread.number("ideal_ns", static_cast<i64>(figures.threads[i].ideal));
        thread.number("received_ns", static_cast<i64>(figures.threads[i].fair));
        append_figures(out, thread, figures.threads[i]);
    }
}

void append_classes(std::string& out, Workload const& workload, RunFigures const& figures) {
    json::Writer classes(out, '[');
    auto const key = [&](u32 i) { return std::string(demand_of(workload, i)); };
    for (Group const& group : group_by(figures, key)) {
        classes.separate();
        json::Writer made(out, '{');
        made.text("demand", group.name);
        made.number("threads", group.threads);
        if (group.parts.empty()) {
            made.null("jain");
        } else {
            made.number("jain", jain_index(group.parts));
        }
        append_figures(out, made, group.figures);
    }
}

void append_cpus(std::string& out, RunFigures const& figures) {
    json::Writer cpus(out, '[');
    for (CpuFigures const& cpu : figures.cpus) {
        cpus.separate();
        json::Writer made(out, '{');
        made.number("busy_ns", cpu.busy.value);
        made.number("idle_ns", (figures.duration - cpu.busy).value);
        made.number("overhead_ns", cpu.overhead.value);
        made.number("switches", cpu.switches);
    }
}

void append_run(std::string& out, Workload const& workload, ReportedRun const& run) {
    json::Writer made(out, '{');
    made.text("policy", run.policy);
    if (run.switch_cost) {
        made.number("switch_cost_ns", run.switch_cost->value);
    } else {
        made.null("switch_cost_ns");
    }
    if (run.outcome.refusal) {
        Refusal const& refusal = *run.outcome.refusal;
        made.key("refused");
        json::Writer refused(out, '{');
        refused.text("thread", thread_names(workload)[refusal.thread]);
        refused.text("error", error_name(refusal.error));
        refused.text("reason", refusal.reason);
        return;
    }
    RunFigures const& figures = run.outcome.figures;
    made.null("refused");
    if (run.schedule) {
        made.number("happenings", run.schedule->happenings);
        made.text("checksum", fmt::format("{:08x}", run.schedule->checksum));
    } else {
        made.null("happenings");
        made.null("checksum");
    }
    if (figures.stuck == nobody) {
        made.null("stuck");
    } else {
        made.text("stuck", thread_names(workload)[figures.stuck]);
    }
    if (figures.violation == 0) {
        made.null("violation");
    } else {
        made.text(
            "violation", sched::violation_name(static_cast<sched::Violation>(figures.violation)));
    }
    if (auto const index = fairness(figures)) {
        made.number("fairness", *index);
    } else {
        made.null("fairness");
    }
    if (figures.has_energy) {
        made.number("energy_mj", figures.energy_mj);
    } else {
        made.null("energy_mj");
    }
    made.key("cpus");
    append_cpus(out, figures);
    made.key("classes");
    append_classes(out, workload, figures);
    made.key("threads");
    append_threads(out, workload, figures);
}

} // namespace

std::string report_json(
    Workload const& workload,
    ReportedSetting const& setting,
    std::vector<ReportedRun> const& runs) {
    std::string out;
    {
        json::Writer report(out, '{');
        report.text("workload", setting.workload);
        report.number("seed", setting.seed);
        report.number("duration_ns", setting.duration.value);
        report.text("machine", setting.machine);
        report.truth("switch_cost_measured", setting.is_cost_measured);
        report.number("cpus", workload.cpus.size());
        report.key("runs");
        json::Writer list(out, '[');
        for (ReportedRun const& run : runs) {
            list.separate();
            append_run(out, workload, run);
        }
    }
    return out + '\n';
}

} // namespace twofold::lab
