// Where two recorded runs begin to differ.
#pragma once

#include <filesystem>

namespace twofold::sim {

/// Prints it. Returns 0 where they are the same, 1 where they differ. Throws launch::Failure.
int show_difference(std::filesystem::path const& left, std::filesystem::path const& right);

} // namespace twofold::sim
