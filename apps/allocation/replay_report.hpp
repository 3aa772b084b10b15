// What a replay prints: a table for people, JSON for programs.
#pragma once

#include "apps/allocation/measurement.hpp"

#include <string>

namespace twofold::allocation {

/// The trace itself: its command and its counts, a line each.
std::string describe(Schedule const& schedule);

/// One line for each allocator under a header: times, memory, and how they compare with the best of
/// the others.
std::string report_table(Schedule const& schedule, std::vector<AllocatorFigures> const& figures);

/// One object with the trace's counts and an entry for each allocator, every repeat included.
std::string report_json(
    std::string const& trace,
    Schedule const& schedule,
    std::vector<AllocatorFigures> const& figures);

} // namespace twofold::allocation
