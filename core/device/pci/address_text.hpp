// Addresses of functions as people write them: SSSS:BB:DD.F in hexadecimal, the segment left out
// where it is 0.
#pragma once

#include "core/device/pci/configuration.hpp"

#include <optional>
#include <string_view>

namespace twofold::pci {

/// Nothing where it is no address that a function can have. Pure, O(text).
std::optional<Address> parse_address(std::string_view text);

} // namespace twofold::pci
