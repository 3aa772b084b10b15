// Recorded schedules. See schedule.hpp.
#include "apps/sched/schedule.hpp"

#include "apps/sched/perfetto_trace.hpp"

#include <fmt/format.h>

namespace twofold::lab {

namespace {

/// Keeps everything.
class ScheduleSink : public Sink {
public:
    explicit ScheduleSink(Schedule& schedule) : m_schedule(schedule) {}

    void take(Happening const& happening) override {
        auto const bytes = m_writer.write(happening);
        m_schedule.happenings.insert(m_schedule.happenings.end(), bytes.begin(), bytes.end());
        ++m_schedule.count;
    }
    void finish(Nanos end) override { m_schedule.end = end; }

private:
    Schedule& m_schedule;
    HappeningWriter m_writer;
};

std::string thread_text(std::vector<std::string> const& names, u32 thread) {
    return thread < names.size() ? fmt::format("'{}'", names[thread])
                                 : fmt::format("thread {}", thread);
}

std::string what_happened(std::vector<std::string> const& names, Happening const& happening) {
    std::string const thread = thread_text(names, happening.thread);
    switch (happening.kind) {
    case HappeningKind::run:
        return happening.thread == nobody ? "nobody runs" : thread + " runs";
    case HappeningKind::wake:
        return happening.other == nobody
                   ? thread + " wakes"
                   : fmt::format("{} wakes {}", thread_text(names, happening.other), thread);
    case HappeningKind::sleep:
        return thread + " goes to sleep";
    case HappeningKind::job:
        return fmt::format("{} ends a job after {} ns", thread, happening.amount);
    case HappeningKind::late:
        return fmt::format("{} ends a late job after {} ns", thread, happening.amount);
    case HappeningKind::refuse:
        return thread + " is refused what it asks for";
    case HappeningKind::leave:
        return thread + " ends";
    case HappeningKind::stick:
        return thread + " goes round and never takes time";
    case HappeningKind::violate:
        return fmt::format("the policy gives wrong answer {}", happening.amount);
    }
    return "something unknown";
}

/// The next happening of a schedule in words.
std::string next_in_words(std::vector<std::string> const& names, HappeningReader& reader) {
    if (reader.at_end()) {
        return "nothing more";
    }
    auto const happening = reader.read();
    return happening
               ? fmt::format(
                     "{} on cpu {} at {} ns", what_happened(names, happening.value()),
                     happening.value().cpu, happening.value().now.value)
               : fmt::format("bytes that are no happening ({})", error_name(happening.error()));
}

/// The first happening that differs in streams that do. Equal happenings are equal bytes.
std::string first_difference(Workload const& workload, Schedule const& one, Schedule const& other) {
    auto const names = thread_names(workload);
    HappeningReader here(one.happenings);
    HappeningReader there(other.happenings);
    for (u64 number = 0;; ++number) {
        usize const at = here.position();
        HappeningReader before_here = here;
        HappeningReader before_there = there;
        bool const is_over = here.at_end() || there.at_end();
        bool const is_read = !is_over && here.read().has_value() && there.read().has_value();
        bool const is_equal =
            is_read && here.position() == there.position() &&
            std::equal(
                one.happenings.begin() + static_cast<std::ptrdiff_t>(at),
                one.happenings.begin() + static_cast<std::ptrdiff_t>(here.position()),
                other.happenings.begin() + static_cast<std::ptrdiff_t>(at));
        if (!is_equal) {
            return fmt::format(
                "happening {}: {}, and not: {}", number, next_in_words(names, before_there),
                next_in_words(names, before_here));
        }
    }
}

std::string refusal_text(Workload const& workload, std::optional<Refusal> const& refusal) {
    return refusal ? fmt::format(
                         "thread {} is refused ({})",
                         thread_text(thread_names(workload), refusal->thread),
                         error_name(refusal->error))
                   : "no thread is refused";
}

} // namespace

Schedule record_schedule(Workload const& workload, RunOptions const& options) {
    Schedule schedule;
    ScheduleSink sink(schedule);
    Sinks sinks;
    sinks.all.push_back(&sink);
    RunOutcome outcome = run_workload(workload, options, sinks);
    schedule.refusal = std::move(outcome.refusal);
    for (CpuFigures const& cpu : outcome.figures.cpus) {
        schedule.overheads.push_back(cpu.overhead);
    }
    return schedule;
}

RunOutcome replay_schedule(Workload const& workload, Schedule const& schedule, Sinks sinks) {
    if (schedule.refusal) {
        return {.refusal = schedule.refusal, .figures = {}};
    }
    Statistics statistics(workload);
    sinks.all.push_back(&statistics);
    HappeningReader reader(schedule.happenings);
    while (!reader.at_end()) {
        sinks.take(reader.read().value());
    }
    sinks.finish(schedule.end);
    for (u32 cpu = 0; cpu < workload.cpus.size(); ++cpu) {
        statistics.set_overhead(cpu, schedule.overheads[cpu]);
    }
    return {.refusal = std::nullopt, .figures = statistics.figures()};
}

std::optional<std::string>
compare_schedules(Workload const& workload, Schedule const& one, Schedule const& other) {
    bool const is_refused = one.refusal.has_value() || other.refusal.has_value();
    if (is_refused) {
        bool const is_same = one.refusal && other.refusal &&
                             one.refusal->thread == other.refusal->thread &&
                             one.refusal->error == other.refusal->error;
        return is_same ? std::nullopt
                       : std::optional(fmt::format(
                             "{}, and not: {}", refusal_text(workload, other.refusal),
                             refusal_text(workload, one.refusal)));
    }
    if (one.happenings != other.happenings) {
        return first_difference(workload, one, other);
    }
    if (one.end != other.end) {
        return fmt::format("it ends at {} ns, and not at {} ns", other.end.value, one.end.value);
    }
    if (one.overheads != other.overheads) {
        return "switches have cost something else";
    }
    return std::nullopt;
}

} // namespace twofold::lab
