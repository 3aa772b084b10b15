// The operations of the kernel that this build can flip (core/base/mutant.hpp). The build chooses
// between none/ and selected/.
#pragma once

#include <string_view>
#include <vector>

namespace twofold::sim {

/// In the order of their numbers, from 1 on.
std::vector<std::string_view> mutant_names();
/// Flips that one in all kernels that run from now on; empty: none. `name` is one of mutant_names.
void flip(std::string_view name);

} // namespace twofold::sim
