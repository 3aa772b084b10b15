// What is built where no model of a device lies beside the header that TWOFOLD_DRIVERS names.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"

#include <memory>
#include <vector>

namespace twofold {

inline std::vector<std::shared_ptr<hosted::PciDevice>> make_twins() {
    return {};
}

} // namespace twofold
