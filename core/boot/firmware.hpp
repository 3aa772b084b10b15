// The kernel's view of the firmware's tables: the reader that the pure parser is given, and the
// command that shows what they say.
#pragma once

#include "core/acpi/acpi.hpp"
#include "core/boot/command.hpp"

namespace twofold::boot {

/// Opens the tables that the machine's root pointer leads to. A machine without ACPI is no error;
/// damaged tables are logged and not used. A step of the start-up.
Result<void> open_firmware_tables(Kernel& kernel);

/// Physical memory for readers of tables: through the linear window; io_failed where the machine
/// did not map what a table points to.
acpi::PhysicalReader firmware_reader();

/// Tells the machine how its tables say that it is switched off and started anew, as far as they
/// do; what is damaged is logged and left out. Before the one or the other; does nothing before the
/// step `space`.
void adopt_power_plan(Kernel& kernel);

/// The command `acpi`.
u8 show_firmware_tables(CommandContext& context);

} // namespace twofold::boot
