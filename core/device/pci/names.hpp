// What numbers of PCI mean, for people. Pure; what is not known has an empty name.
//
// Source: PCI Code and ID Assignment Specification 1.11, chapters 1 to 3.
#pragma once

#include "core/device/pci/capabilities.hpp"

namespace twofold::pci {

/// The kind of device that the two class numbers name, else the base class alone. O(names).
std::string_view class_name(u8 base_class, u8 subclass);

/// A capability of either list. O(names).
std::string_view capability_name(Capability const& capability);

} // namespace twofold::pci
