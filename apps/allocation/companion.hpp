// Where a program finds the libraries and programs that belong to it.
#pragma once

#include <filesystem>
#include <string>

namespace twofold::allocation {

/// A file of this build or installation: beside the running program, in `build_folder` next to its
/// folder, or where the installation puts libraries. Throws launch::Failure (69) if it is nowhere.
std::filesystem::path find_companion(std::string const& file, std::string const& build_folder);

} // namespace twofold::allocation
