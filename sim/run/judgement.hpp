// What the end of a machine's run means.
#pragma once

#include "apps/launch/journal.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/sim/sim_engine.hpp"
#include "sim/case/case.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace twofold::sim {

/// A machine that has stopped, and what it has said.
struct Ended {
    hosted::Stop stop{};
    hosted::Machine& machine;
    hosted::SimEngine const& engine;
    std::string_view output; ///< all that the kernel has printed
    launch::Journal const& journal;
};

/// Why the run has failed; nothing: it has passed. O(output).
std::optional<CaseFailure> judge(Ended const& ended);

} // namespace twofold::sim
