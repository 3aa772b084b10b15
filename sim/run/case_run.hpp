// A case, on machines of this process.
#pragma once

#include "sim/case/case.hpp"
#include "sim/run/simulation.hpp"

#include <memory>

namespace twofold::sim {

/// Runs of more events are taken to have no end.
inline constexpr u64 moments_max = u64{1} << 40;

/// One run of a case. The machine is made at once, and gone with this object.
class CaseRun {
public:
    /// `made` is complete. `saved` is the schedule of the whole run, null: the case's own. Throws a
    /// launch::Failure where there can be no such machine.
    explicit CaseRun(Case made, std::shared_ptr<hosted::Schedule const> saved = nullptr);

    Simulation& simulation() { return *m_simulation; }
    hosted::SimEngine& engine() { return m_simulation->engine(); }
    Case const& what() const { return m_case; }
    /// Runs to the end, or to the engine's limit (false).
    bool run();
    /// What has come of it so far.
    Outcome outcome() const;

private:
    Case m_case;
    std::unique_ptr<Simulation> m_simulation;
    u64 m_host_ns = 0;
};

/// Runs a case to its end: once; or, where its schedule is exhaustive, one schedule after the other
/// until one fails, none is left, or so many were tried. `schedules` is set to their number, `all`
/// to whether none is left.
struct Exploration {
    u64 schedules = 1;
    bool all = true;
    hosted::BoundedSchedule::Path last; ///< what the outcome is of
};
Outcome run_case(Case const& made, Exploration* exploration = nullptr);
inline constexpr u64 explored_schedules_max = 1'000'000;

} // namespace twofold::sim
