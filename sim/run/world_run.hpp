// A case of several machines, joined by links: each performs its share of the operations.
//
// Faults are those of links. Machines run by the schedule `random`, each by a seed of its own.
// Neither recordings nor traces nor schedules in files are made of such a run (simulator/single.cpp
// refuses them): all of these are of one engine.
#pragma once

#include "sim/run/case_parts.hpp"
#include "sim/world/world.hpp"

#include <memory>
#include <string>

namespace twofold::sim {

/// One run of a case, to its end. One thread.
class WorldRun {
public:
    /// `made` is complete. Throws a launch::Failure where there can be no such machines.
    explicit WorldRun(Case made, Place const& place = {});

    /// Once.
    Outcome run();
    /// All that the kernels have printed, each line behind its machine's number.
    std::string output() const;

private:
    std::optional<CaseFailure> failure() const;

    Case m_case;
    std::unique_ptr<World> m_world;
    u64 m_host_ns = 0;
};

} // namespace twofold::sim
