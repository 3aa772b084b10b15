// See selected.hpp. Compiled twice: for images, and for those of the tests and of the guide, which
// have the guide's driver where nothing else was chosen.
#include "apps/drivers/selected.hpp"

#include "core/boot/device_model.hpp"

#include <selected_drivers.hpp> // generated: includes the chosen file

namespace twofold {

static_assert(
    SelectedDrivers::drivers.size() <= boot::added_drivers_max,
    "these are more drivers than a kernel takes beside its own");

std::span<device::Driver const* const> selected_drivers() {
    return SelectedDrivers::drivers;
}

boot::CommandTable driver_commands() {
    return SelectedDrivers::commands;
}

} // namespace twofold
