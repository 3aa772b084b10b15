// Which build of the project this program is.
#pragma once

#include <string>

namespace twofold::sim {

/// The build id that the linker gave the program, in hexadecimal digits: a hash of all its code.
std::string build_id();

} // namespace twofold::sim
