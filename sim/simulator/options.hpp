// The command line of twofold-simulator's `run`.
#pragma once

#include "sim/case/case.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofold::sim {

struct RunOptions {
    Case made; ///< complete, unless `replay` says what is run
    std::optional<std::filesystem::path> record;
    std::optional<std::filesystem::path> replay;
    std::optional<std::filesystem::path> trace;
    std::optional<std::filesystem::path> save_schedule;
    std::optional<std::filesystem::path> follow_schedule;
    std::optional<u64> until_event;
    u64 copy_every = 500'000;       ///< moments between two copies of a recording
    bool stops_in_debugger = false; ///< and goes on from there
    bool is_json = false;
    bool shows_output = false;

    /// Whether more is wanted than to know what comes of the case.
    bool attends() const { return attends_one() || shows_output; }
    /// The same, which only a case of one machine has.
    bool attends_one() const { return record || trace || save_schedule || until_event; }
};

/// Parses what follows `run`. Returns the status to end with at once, if there is one. Throws
/// launch::Failure (64).
std::optional<int> parse_run_options(int count, char const* const* arguments, RunOptions& options);

} // namespace twofold::sim
