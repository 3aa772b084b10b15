// Drivers of one's own: those of the header that the build was told of (-DTWOFOLD_DRIVERS=file, see
// docs/guides/write-a-driver.md), or none. The image `full` has them before the kernel's, and the
// commands that they are used by.
#pragma once

#include "core/boot/boot.hpp"

#include <span>

namespace twofold {

/// Those of SelectedDrivers; they live for ever.
std::span<device::Driver const* const> selected_drivers();
/// Its table, which may be empty.
boot::CommandTable driver_commands();

} // namespace twofold
