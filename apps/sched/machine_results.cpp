// Takes schedules, and what became of live threads, out of the results of a machine's run. See
// machines.hpp.
#include "apps/sched/machine_values.hpp"
#include "apps/sched/machines.hpp"

#include <fmt/format.h>

namespace twofold::lab {

namespace {

Schedule schedule_of(Workload const& workload, Recorded const& recorded) {
    Schedule schedule;
    schedule.refusal = recorded.refusal(workload);
    if (schedule.refusal) {
        return schedule;
    }
    u64 const pieces = recorded.number("pieces", ~u64{0});
    for (u64 piece = 0; piece < pieces; ++piece) {
        std::string const& text = recorded.text(fmt::format("{}", piece));
        auto const bytes = std::as_bytes(std::span(text));
        schedule.happenings.insert(schedule.happenings.end(), bytes.begin(), bytes.end());
    }
    schedule.count = recorded.number("happenings", ~u64{0});
    if (recorded.number("checksum", ~u32{0}) != schedule.checksum()) {
        recorded.refuse("its checksum is another");
    }
    schedule.end = {static_cast<i64>(recorded.number("end", ~u64{0} >> 1))};
    for (usize cpu = 0; cpu < workload.cpus.size(); ++cpu) {
        u64 const overhead = recorded.number(fmt::format("overhead {}", cpu), ~u64{0} >> 1);
        schedule.overheads.push_back({static_cast<i64>(overhead)});
    }
    return schedule;
}

/// The samples of a thread, recorded as numbers of 8 bytes.
std::vector<i64>
samples_of(Recorded const& recorded, std::string_view what, u32 thread, u64 count) {
    std::vector<i64> samples;
    for (u64 value = 0; samples.size() < count; ++value) {
        std::string const name = fmt::format("{} {} {}", what, thread, value);
        std::string const& text = recorded.text(name);
        ByteReader reader(std::as_bytes(std::span(text)));
        while (reader.remaining() >= sizeof(u64)) {
            samples.push_back(static_cast<i64>(reader.read<u64>().value()));
        }
        if (text.empty() || reader.remaining() != 0 || samples.size() > count) {
            recorded.refuse(fmt::format("the value '{}' has {} bytes", name, text.size()));
        }
    }
    return samples;
}

Nanos time_of(u64 number) {
    return {static_cast<i64>(number)};
}

ThreadFigures live_thread(Recorded const& recorded, u32 number) {
    auto const values = recorded.numbers(fmt::format("thread {}", number), 9);
    ThreadFigures thread;
    thread.wake_latencies = samples_of(recorded, "latencies", number, values[0]);
    thread.responses = samples_of(recorded, "responses", number, values[1]);
    thread.wakes = values[0];
    thread.late = values[2];
    thread.refused = values[3];
    thread.switches = values[4];
    thread.preemptions = values[5];
    thread.migrations = values[6];
    thread.ran = time_of(values[7]);
    thread.waited = time_of(values[8]);
    return thread;
}

RunOutcome live_outcome(Workload const& workload, Recorded const& recorded) {
    if (auto refusal = recorded.refusal(workload)) {
        return {.refusal = std::move(refusal), .figures = {}};
    }
    RunFigures figures;
    figures.duration = time_of(recorded.number("lasted", recorded_max));
    for (u32 i = 0; i < workload.tasks.size(); ++i) {
        figures.threads.push_back(live_thread(recorded, i));
    }
    for (u32 i = 0; i < workload.cpus.size(); ++i) {
        auto const values = recorded.numbers(fmt::format("cpu {}", i), 3);
        i64 const violation = static_cast<i64>(values[2]);
        figures.violation = figures.violation == 0 ? violation : figures.violation;
        Nanos const idle = std::min(time_of(values[0]), figures.duration);
        figures.cpus.push_back(
            {.busy = figures.duration - idle, .overhead = {}, .switches = values[1]});
    }
    add_energy(figures, workload);
    return {.refusal = std::nullopt, .figures = std::move(figures)};
}

} // namespace

std::map<std::string, Schedule>
read_schedules(Workload const& workload, std::string const& name, std::string_view text) {
    std::map<std::string, Schedule> schedules;
    for (auto const& [policy, values] : read_values("sched ", name, text)) {
        schedules.emplace(policy, schedule_of(workload, Recorded(policy, values)));
    }
    return schedules;
}

std::map<std::string, RunOutcome>
read_live_runs(Workload const& workload, std::string const& name, std::string_view text) {
    std::map<std::string, RunOutcome> outcomes;
    for (auto const& [policy, values] : read_values("live ", name, text)) {
        outcomes.emplace(policy, live_outcome(workload, Recorded(policy, values)));
    }
    return outcomes;
}

} // namespace twofold::lab
