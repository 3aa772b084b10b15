// Models of the devices that drivers of one's own are for (selected.hpp), on the hosted machine.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"

#include <memory>
#include <vector>

namespace twofold {

/// One of each, new: the devices that a machine of this build has beside those it is asked for.
std::vector<std::shared_ptr<hosted::PciDevice>> selected_twins();

} // namespace twofold
