// Schedules in files, as text that people read and change:
//
//     twofold-schedule 1 one-time        (or own-times: hosted::Schedule::has_one_time)
//     PROCESSOR STRETCH                  a line for each turn; the stretch in nanoseconds
//     # a comment
#pragma once

#include "hal/hosted/sim/schedule.hpp"

#include <filesystem>
#include <memory>
#include <vector>

namespace twofold::sim {

/// Throws launch::Failure (74).
void write_schedule(
    std::filesystem::path const& path, std::vector<hosted::Grant> const& grants, bool has_one_time);

/// Throws launch::Failure: 74 where the file cannot be read, 64 with the line where it is wrong.
std::shared_ptr<hosted::Schedule const> read_schedule(std::filesystem::path const& path);

} // namespace twofold::sim
