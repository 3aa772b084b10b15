// A case, on machines of this process.
#pragma once

#include "sim/case/case.hpp"
#include "sim/run/case_parts.hpp"
#include "sim/run/simulation.hpp"

#include <memory>

namespace twofold::sim {

/// Runs of more events are taken to have no end.
inline constexpr u64 moments_max = u64{1} << 40;

/// A machine for the next case with as many processors: to make one takes longer than most cases.
/// One thread.
class Machines {
public:
    explicit Machines(Place place = {}) : m_place(place) {}

    Place const& place() const { return m_place; }
    /// One that a case has left, in whatever state; null: there is none.
    std::unique_ptr<Simulation> take(u32 cpus);
    /// Keeps it in place of the one before.
    void keep(std::unique_ptr<Simulation> simulation, u32 cpus);
    /// Gives up what is kept: a place holds one machine.
    void clear() { m_kept.reset(); }

private:
    Place m_place;
    std::unique_ptr<Simulation> m_kept;
    u32 m_cpus = 0;
};

/// One run of a case of one machine. The machine is made at once, or taken from those that are
/// kept.
class CaseRun {
public:
    /// `made` is complete. `saved` is the schedule of the whole run, null: the case's own.
    /// `machines`, where given, must outlive this and gets the machine in the end. Throws a
    /// launch::Failure where there can be no such machine.
    explicit CaseRun(
        Case made,
        std::shared_ptr<hosted::Schedule const> saved = nullptr,
        Machines* machines = nullptr);
    CaseRun(CaseRun&&) = default;
    CaseRun& operator=(CaseRun&&) = delete;
    ~CaseRun();

    Simulation& simulation() { return *m_simulation; }
    hosted::SimEngine& engine() { return m_simulation->engine(); }
    Case const& what() const { return m_case; }
    /// Runs to the end, or to the engine's limit (false).
    bool run();
    /// What has come of it so far.
    Outcome outcome() const;

private:
    Case m_case;
    Machines* m_machines;
    std::unique_ptr<Simulation> m_simulation;
    u64 m_host_ns = 0;
};

/// Runs a case to its end, on one machine or on several: once; or, where its schedule is
/// exhaustive, one schedule after the other until one fails, none is left, or so many were tried.
/// `schedules` is set to their number, `all` to whether none is left.
struct Exploration {
    u64 schedules = 1;
    bool all = true;
    hosted::BoundedSchedule::Path last; ///< what the outcome is of
};
Outcome
run_case(Case const& made, Exploration* exploration = nullptr, Machines* machines = nullptr);
inline constexpr u64 explored_schedules_max = 1'000'000;

} // namespace twofold::sim
