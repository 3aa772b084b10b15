// The kernel's view of the firmware's tables: the reader that the pure parser is given, and the
// command that shows what they say.
#pragma once

#include "core/boot/command.hpp"

namespace twofold::boot {

/// Opens the tables that the machine's root pointer leads to. A machine without ACPI is no error;
/// damaged tables are logged and not used. A step of the start-up.
Result<void> open_firmware_tables(Kernel& kernel);

/// The command `acpi`.
u8 show_firmware_tables(CommandContext& context);

} // namespace twofold::boot
