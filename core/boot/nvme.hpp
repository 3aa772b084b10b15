// The NVMe controllers of the PCI bus, and the command `nvme`.
#pragma once

#include "core/boot/devices.hpp"

namespace twofold::boot {

/// All that can be opened, by the first call; one that cannot is said in the log. Context thread;
/// one context at a time calls for the first time. Errors: out_of_memory, those of pci_bus.
Result<NvmeControllers*> nvme_controllers(Kernel& kernel);
/// Removes them. Nobody uses one.
void close_nvme_controllers(Kernel& kernel, NvmeControllers& controllers);

struct NvmeTestCounts {
    u64 requests = 0;
    u64 failed = 0;
    u64 wrong = 0; ///< sectors that were read and are not what was written
};

/// Overwrites so many sectors of a namespace, a piece on each processor where there are threads,
/// and reads them back, by requests of several sizes and shapes. Errors: out_of_memory, no_space.
Result<NvmeTestCounts> test_namespace(Kernel& kernel, nvme::NamespaceDevice& device, u64 sectors);

} // namespace twofold::boot
