// A copy of a simulated machine as bytes, for another process of the same build.
#pragma once

#include "hal/hosted/machine.hpp"

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace hosted {

/// `snapshot` is of a simulated machine. O(memory in use).
std::vector<std::byte> snapshot_bytes(Snapshot const& snapshot);

/// The copy that `bytes` are, of a machine of the same configuration as `alike` is of. The error is
/// one line. O(memory in use).
std::expected<Snapshot, std::string>
snapshot_of(std::span<std::byte const> bytes, Snapshot const& alike);

} // namespace hosted
