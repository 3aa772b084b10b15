// See single.hpp.
#include "sim/simulator/single.hpp"

#include "apps/launch/status.hpp"
#include "sim/record/schedule_file.hpp"
#include "sim/record/watchers.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/run/world_run.hpp"
#include "sim/simulator/debugger.hpp"
#include "sim/simulator/options.hpp"
#include "sim/simulator/travel.hpp"
#include "sim/trace/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace twofold::sim {

namespace {

/// Everything that a run leaves behind, or is compared with.
struct Attachments {
    std::optional<Recording> recording;
    std::optional<RecordingWriter> writer;
    std::optional<HashRecorder> recorder;
    std::optional<HashChecker> checker;
    TraceKeeper trace;
    GrantKeeper grants;
    Watchers watchers;
};

/// `schedule` is the text of the one that the run follows; empty: the case's own.
void attach(Attachments& to, RunOptions const& options, std::string const& schedule) {
    Catalogue const& catalogue = own_catalogue();
    if (options.record) {
        to.writer.emplace(
            *options.record, catalogue.build, to_json(options.made, catalogue), schedule);
        to.watchers.add(to.recorder.emplace(*to.writer));
    }
    if (to.recording) {
        to.watchers.add(to.checker.emplace(*to.recording));
    }
    if (options.trace) {
        to.watchers.add(to.trace);
    }
    if (options.save_schedule) {
        to.watchers.add(to.grants);
    }
}

std::string outcome_text(Outcome const& outcome) {
    return outcome.failure ? outcome.failure->text : "passed";
}

/// To the end of the run (true) or to an event.
bool run_to(CaseRun& run, Attachments& with, u64 copy_every, u64 event) {
    u64 at = run.engine().counts().moments;
    while (at < event) {
        at = std::min(at + copy_every, event);
        if (run_until(run, at)) {
            return true;
        }
        if (with.writer && at != event) {
            with.writer->add_copy(run.engine().counts().moments, copy_bytes(run));
        }
    }
    return false;
}

/// The points that could fail, and of the others how many there are.
void say_faults(Outcome const& outcome) {
    constexpr std::string_view points = "points.";
    auto const could_fail = [&outcome, points](PointCounts const& point) {
        return std::ranges::any_of(outcome.faults, [&point, points](FaultOutcome const& fault) {
            return fault.name == fmt::format("{}{}", points, point.name);
        });
    };
    for (FaultOutcome const& fault : outcome.faults) {
        if (!fault.name.starts_with(points)) {
            fmt::print(
                "  fault {}: {} of {} occurrences\n", fault.name, fault.counts.fired,
                fault.counts.asked);
        }
    }
    usize others = 0;
    for (PointCounts const& point : outcome.points) {
        if (could_fail(point)) {
            fmt::print(
                "  point {}: reached {} times, failed {}\n", point.name, point.reached,
                point.fired);
        } else {
            ++others;
        }
    }
    if (others != 0) {
        fmt::print("  points that could not fail: {} were reached\n", others);
    }
}

void say(Outcome const& outcome, Case const& made) {
    fmt::print(
        "{} seed {}: {}, {} events, {}.{:09} s of virtual time in {:.1f} ms, hash {:016x}\n",
        made.workload, made.seed, outcome.failure ? "FAILED" : "passed", outcome.events,
        outcome.virtual_ns / 1'000'000'000, outcome.virtual_ns % 1'000'000'000,
        static_cast<double>(outcome.host_ns) / 1e6, outcome.hash);
    if (outcome.failure) {
        fmt::print("{}\n{}", outcome.failure->text, outcome.failure->report);
    }
    say_faults(outcome);
}

void say_where(CaseRun& run) {
    fmt::print(
        "stopped behind event {}, at {} ns, hash {:016x}\n{}", run.engine().counts().moments,
        run.engine().time_ns(), run.engine().counts().hash, run.engine().where_all_stand());
    std::fflush(stdout); // before a debugger
}

/// What the recording says otherwise; empty: nothing.
std::string difference(Attachments const& with, Outcome const& outcome) {
    if (u64 const at = with.checker->differs_at(); at != 0) {
        return fmt::format(
            "the run is not the recorded one: they differ between events {} and {}",
            at - recording_distance, at);
    }
    RecordingEnd const& end = *with.recording->end();
    if (end.hash != outcome.hash || end.moments != outcome.events) {
        return fmt::format(
            "the run is not the recorded one: it ends after {} events with hash {:016x}, the "
            "recorded one after {} with {:016x}",
            outcome.events, outcome.hash, end.moments, end.hash);
    }
    return {};
}

void say_all(Outcome const& outcome, RunOptions const& options) {
    if (options.is_json) {
        fmt::print("{}\n", to_json(outcome));
        return;
    }
    say(outcome, options.made);
    if (options.until_event && outcome.events < *options.until_event) {
        fmt::print("  it ended before event {}\n", *options.until_event);
    }
}

int finish(CaseRun& run, Attachments& with, RunOptions const& options) {
    Outcome outcome = run.outcome();
    if (with.writer) {
        with.writer->finish(
            {outcome.events, outcome.hash, static_cast<i64>(outcome.virtual_ns),
             outcome_text(outcome)});
    }
    if (options.save_schedule) {
        bool const has_one_time = run.engine().explored() != nullptr;
        write_schedule(*options.save_schedule, with.grants.grants(), has_one_time);
    }
    if (with.recording) {
        if (std::string const other = difference(with, outcome); !other.empty()) {
            outcome.failure = CaseFailure{FailureKind::hash, other, {}};
        }
    }
    if (options.shows_output) {
        fmt::print("{}", run.simulation().output());
    }
    say_all(outcome, options);
    return outcome.failure ? 1 : 0;
}

/// The schedule that an exploration ended with, as text.
std::string explored_schedule(Case const& made, Exploration const& exploration) {
    CaseRun run(made);
    run.engine().explore(hosted::BoundedSchedule(made.schedule.bound, exploration.last));
    GrantKeeper keeper;
    run.engine().observe(&keeper);
    run.run();
    return schedule_text(keeper.grants(), true);
}

/// One run, with all that is attached to it.
int run_attended(CaseRun run, Attachments& with, RunOptions const& options) {
    if (with.recording && options.until_event && !options.trace && !options.save_schedule) {
        jump_before(run, *with.recording, *options.until_event);
    }
    run.engine().observe(with.watchers.get());
    bool has_ended =
        run_to(run, with, options.copy_every, options.until_event.value_or(moments_max));
    bool const is_stopped = !has_ended && options.until_event;
    if (is_stopped) {
        say_where(run);
    }
    if (is_stopped && options.stops_in_debugger) {
        stop_for_debugger(run);
        has_ended = run_to(run, with, options.copy_every, moments_max);
    }
    if (options.trace) {
        with.trace.write(
            *options.trace, fmt::format("{} seed {}", run.what().workload, run.what().seed));
    }
    return is_stopped && !options.stops_in_debugger ? 0 : finish(run, with, options);
}

/// One run of a case of several machines.
int run_several(RunOptions const& options) {
    if (options.attends_one() || options.follow_schedule) {
        throw launch::Failure(
            launch::Status::usage,
            fmt::format(
                "the case has {} machines: recordings, traces, schedules in files, --until-event "
                "and --gdb are of one; with several there are --output and --json, and --machines "
                "1 makes it a case of one",
                options.made.machines));
    }
    WorldRun run(options.made);
    Outcome const outcome = run.run();
    if (options.shows_output) {
        fmt::print("{}", run.output());
    }
    say_all(outcome, options);
    return outcome.failure ? 1 : 0;
}

} // namespace

int run_single(int count, char const* const* arguments) {
    RunOptions options;
    if (auto const status = parse_run_options(count, arguments, options)) {
        return *status;
    }
    if (options.made.machines > 1) {
        return run_several(options);
    }
    Attachments with;
    if (options.replay) {
        with.recording = Recording::read(*options.replay, own_catalogue().build);
        CaseRun run = recorded_run(*with.recording);
        options.made = run.what();
        attach(with, options, {});
        return run_attended(std::move(run), with, options);
    }
    std::string schedule;
    std::string name = "the schedule that was found";
    if (options.follow_schedule) {
        name = options.follow_schedule->string();
        schedule = read_schedule(*options.follow_schedule);
    } else if (options.made.schedule.kind == Schedule::Kind::exhaustive) {
        Exploration exploration;
        Outcome const outcome = run_case(options.made, &exploration);
        if (!options.is_json) {
            fmt::print(
                "{} schedule{}{}\n", exploration.schedules, exploration.schedules == 1 ? "" : "s",
                exploration.all ? ", all there are" : "");
        }
        if (!options.attends()) {
            say_all(outcome, options);
            return outcome.failure ? 1 : 0;
        }
        schedule = explored_schedule(options.made, exploration);
    }
    std::shared_ptr<hosted::Schedule const> saved;
    if (!schedule.empty()) {
        saved = parse_schedule_text(name, schedule);
    }
    attach(with, options, schedule);
    return run_attended(CaseRun(options.made, saved), with, options);
}

} // namespace twofold::sim
