// Schedules in files, as text that people read and change:
//
//     twofold-schedule 1 one-time        (or own-times: hosted::Schedule::has_one_time)
//     PROCESSOR STRETCH                  a line for each turn; the stretch in nanoseconds
//     # a comment
//     end                            without it the file was cut short
#pragma once

#include "hal/hosted/sim/schedule.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace twofold::sim {

/// What such a file holds.
std::string schedule_text(std::vector<hosted::Grant> const& grants, bool has_one_time);

/// Throws launch::Failure (74).
void write_schedule(
    std::filesystem::path const& path, std::vector<hosted::Grant> const& grants, bool has_one_time);

/// The text of a file. Throws launch::Failure: 74 where it cannot be read.
std::string read_schedule(std::filesystem::path const& path);

/// `name` is that of the file. Throws launch::Failure: 64 with the line where it is wrong.
std::shared_ptr<hosted::Schedule const>
parse_schedule_text(std::string const& name, std::string const& text);

} // namespace twofold::sim
