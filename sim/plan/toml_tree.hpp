// TOML as the tree that JSON is read into, so that one reader takes values out of both.
#pragma once

#include "apps/json/tree.hpp"

#include <string>
#include <string_view>

namespace twofold::sim {

/// The table that `text` is (TOML 1.0), its members in the order of the file. Dates and times are
/// values of the kind null, and letters beyond ASCII are question marks: plans have none of them.
/// Throws launch::Failure with `name`, line and reason. O(n); values lie at most 64 deep.
json::Value parse_toml(std::string const& name, std::string_view text);

} // namespace twofold::sim
