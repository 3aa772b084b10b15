// Cases and outcomes: what is to be run, and what came of it, each as one line of JSON. It is what
// a campaign and the servers that run its cases say to each other; docs/sim-protocol.md has each
// key.
//
// A case is a whole run: two with the same text, run by the same build, have the same hash.
#pragma once

#include "hal/hosted/sim/faults.hpp"
#include "sim/case/ranges.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::sim {

/// A workload as those see it who choose one.
struct WorkloadKind {
    std::string_view name;
    std::string_view about;
    u32 operations = 0; ///< what a case has that says nothing of it
    u32 cpus = 0;
    u32 threads = 0;
    u32 machines = 1; ///< joined by links; 1: it runs on one alone
};

/// What a program can run.
struct Catalogue {
    std::string build; ///< in hexadecimal digits: two builds that differ in it may run otherwise
    std::vector<WorkloadKind> workloads;
    hosted::FaultKinds faults;
    std::vector<std::string_view> mutants;
    std::vector<std::string_view> costs; ///< the first is the default
};

/// The catalogue as one JSON object.
std::string describe(Catalogue const& catalogue);

/// Who runs next.
struct Schedule {
    enum class Kind : u8 {
        random,
        pct,        ///< by priorities that change `bound` - 1 times (Burckhardt et al., 2010)
        exhaustive, ///< every schedule with at most `bound` preemptions, one a run
    };
    Kind kind = Kind::random;
    u32 bound = 0;

    bool operator==(Schedule const&) const = default;
};

/// "random", "pct:3" or "exhaustive:2". Throws launch::Failure.
Schedule parse_schedule(std::string_view text);
std::string text_of(Schedule schedule);

struct Case {
    static constexpr u32 cpus_max = 64;
    static constexpr u32 threads_max = 256;
    static constexpr u32 machines_max = 6; ///< that fit into a process (sim/world/world.hpp)
    static constexpr u32 operations_max = 1'000'000;

    u64 id = 0; ///< given back with the outcome; no part of the run
    std::string workload;
    u64 seed = 0;
    u32 cpus = 0; ///< of each machine; 0: what the workload has, and so for the next three
    u32 threads = 0;
    u32 operations = 0;
    u32 machines = 0;
    std::optional<Ranges> keep; ///< the operations to perform; without: all
    Schedule schedule;
    hosted::FaultPlan faults;
    std::string costs;  ///< empty: the default
    std::string mutant; ///< which operation is flipped; empty: none

    bool operator==(Case const&) const = default;
};

/// Puts in what the case leaves to its workload, and refuses what is not in the catalogue or does
/// not hold together: a launch::Failure of one line.
void complete(Case& made, Catalogue const& catalogue);

/// A line that is no case.
struct CaseError {
    std::optional<u64> id; ///< if it could be made out
    std::string reason;    ///< one line
};

/// The case, complete, that one line of JSON is. O(size).
std::expected<Case, CaseError> parse_case(std::string_view line, Catalogue const& catalogue);

/// One line that parse_case makes the same case of.
std::string to_json(Case const& made, Catalogue const& catalogue);

enum class FailureKind : u8 {
    panic,    ///< the kernel met a broken invariant
    status,   ///< the workload found something wrong
    deadlock, ///< nobody can go on
    stall,    ///< nobody got on for too long
    oracle,   ///< an oracle of the simulator objected
    crash,    ///< the machine died, or the program did
    hash,     ///< the same case has run otherwise before
    schedule, ///< the schedule that was to be followed does not fit
};

struct CaseFailure {
    FailureKind kind = FailureKind::status;
    std::string text;   ///< one line
    std::string report; ///< all there is to say
};

/// How often a point of the kernel was met while it could fail, and did.
struct PointCounts {
    std::string_view name;
    u64 reached = 0;
    u64 fired = 0;
};

struct FaultOutcome {
    std::string_view name;
    hosted::FaultCounts counts;
};

struct Outcome {
    u64 id = 0;
    std::optional<CaseFailure> failure = {}; ///< without: it passed
    u64 hash = 0;                            ///< of all that happened
    u64 events = 0;
    u64 virtual_ns = 0;
    u64 host_ns = 0;
    Ranges operations = {}; ///< that were over when it ended
    std::vector<FaultOutcome> faults = {};
    std::vector<PointCounts> points = {};
};

/// What the injector counted, put into an outcome: kinds that were asked for, and points.
void add_counts(
    Outcome& outcome, hosted::FaultInjector const& injector, hosted::FaultKinds const& kinds);

/// One line each.
std::string to_json(Outcome const& outcome);
std::string to_json(CaseError const& error);

} // namespace twofold::sim
