// Commands of one's own: those of the header that the build was told of (-DTWOFOLD_COMMANDS=file,
// see docs/guides/write-a-command.md), or none. The image `full` has them beside the kernel's.
#pragma once

#include "core/boot/boot.hpp"

namespace twofold {

/// The table of SelectedCommands.
boot::CommandTable selected_commands();

} // namespace twofold
