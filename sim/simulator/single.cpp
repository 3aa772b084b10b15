// See single.hpp.
#include "sim/simulator/single.hpp"

#include "sim/record/schedule_file.hpp"
#include "sim/record/watchers.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/simulator/options.hpp"
#include "sim/simulator/travel.hpp"
#include "sim/trace/trace.hpp"

#include <fmt/format.h>

#include <csignal>

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

void attach(Attachments& to, RunOptions const& options) {
    Catalogue const& catalogue = own_catalogue();
    if (options.record) {
        to.writer.emplace(*options.record, catalogue.build, to_json(options.made, catalogue));
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

/// To the end of the run (true) or to the event at which it is to stop.
bool run_all(CaseRun& run, Attachments& with, RunOptions const& options, u64 from) {
    u64 const last = options.until_event.value_or(moments_max);
    u64 at = from;
    while (true) {
        at = std::min(at + options.copy_every, last);
        if (run_until(run, at)) {
            return true;
        }
        if (at == last) {
            return !options.until_event; // a run without an end has failed
        }
        if (with.writer) {
            with.writer->add_copy(run.engine().counts().moments, copy_bytes(run));
        }
    }
}

void say_faults(Outcome const& outcome) {
    for (FaultOutcome const& fault : outcome.faults) {
        fmt::print(
            "  fault {}: {} of {} occurrences\n", fault.name, fault.counts.fired,
            fault.counts.asked);
    }
    for (PointCounts const& point : outcome.points) {
        fmt::print(
            "  point {}: reached {} times, failed {}\n", point.name, point.reached, point.fired);
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

int say_where(CaseRun& run, RunOptions const& options) {
    fmt::print(
        "stopped behind event {}, at {} ns, hash {:016x}\n{}", run.engine().counts().moments,
        run.engine().time_ns(), run.engine().counts().hash, run.engine().where_all_stand());
    if (options.stops_in_debugger) {
        std::fflush(stdout);
        raise(SIGTRAP); // the debugger has the machine as it is here; continuing ends the run
    }
    return 0;
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

int finish(CaseRun& run, Attachments& with, RunOptions const& options) {
    Outcome outcome = run.outcome();
    if (with.writer) {
        with.writer->finish(
            {outcome.events, outcome.hash, static_cast<i64>(outcome.virtual_ns),
             outcome_text(outcome)});
    }
    if (options.save_schedule) {
        bool const has_one_time = options.made.schedule.kind != Schedule::Kind::random;
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
    if (options.is_json) {
        fmt::print("{}\n", to_json(outcome));
    } else {
        say(outcome, run.what());
    }
    return outcome.failure ? 1 : 0;
}

} // namespace

int run_single(int count, char const* const* arguments) {
    RunOptions options;
    if (auto const status = parse_run_options(count, arguments, options)) {
        return *status;
    }
    Attachments with;
    if (options.replay) {
        with.recording = Recording::read(*options.replay, own_catalogue().build);
        options.made = recorded_case(*with.recording);
    }
    attach(with, options);
    std::shared_ptr<hosted::Schedule const> saved;
    if (options.follow_schedule) {
        saved = read_schedule(*options.follow_schedule);
    }
    bool const explores = options.made.schedule.kind == Schedule::Kind::exhaustive && !saved;
    if (explores && !options.replay && !options.record && !options.until_event) {
        Exploration exploration;
        Outcome const outcome = run_case(options.made, &exploration);
        if (options.is_json) {
            fmt::print("{}\n", to_json(outcome));
        } else {
            say(outcome, options.made);
            fmt::print(
                "  {} schedules{}\n", exploration.schedules,
                exploration.all ? ", all there are" : "");
        }
        return outcome.failure ? 1 : 0;
    }
    CaseRun run(options.made, saved);
    u64 from = 0;
    if (with.recording && options.until_event && !options.trace && !options.save_schedule) {
        from = jump_before(run, *with.recording, *options.until_event);
    }
    run.engine().observe(with.watchers.get());
    bool const has_ended = run_all(run, with, options, from);
    if (options.trace) {
        with.trace.write(
            *options.trace, fmt::format("{} seed {}", run.what().workload, run.what().seed));
    }
    return has_ended ? finish(run, with, options) : say_where(run, options);
}

} // namespace twofold::sim
