// One case, for a person: run, recorded, repeated, traced, stopped on the way.
#pragma once

namespace twofold::sim {

/// The arguments are those behind `run`, with a name for the program in front. Returns 0 where the
/// run has passed, or has stopped where it was to; 1 where it failed. Throws launch::Failure.
int run_single(int count, char const* const* arguments);

} // namespace twofold::sim
