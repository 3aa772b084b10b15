// The driver of NVMe controllers on the PCI bus.
#pragma once

#include "core/device/nvme/controller.hpp"

namespace twofold::nvme {

extern device::Driver const driver;

/// What `driver.probe` does, with options. Errors: those of PciConnection::open and
/// Controller::open.
Result<Controller*> open_controller(
    device::DriverEnvironment const& environment,
    pci::Function const& function,
    ControllerOptions const& options = {});

} // namespace twofold::nvme
