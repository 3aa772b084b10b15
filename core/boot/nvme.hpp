// The NVMe controllers of the PCI bus, and the command `nvme`.
#pragma once

#include "core/boot/devices.hpp"

namespace twofold::boot {

inline constexpr usize nvme_controllers_max = 16;
using NvmeControllers = FixedVector<nvme::Controller*, nvme_controllers_max>;

/// The controllers that have drivers, in the order in which they came; they are looked for with the
/// first disk. Nobody removes one meanwhile. Context thread. Errors: those of disk_room.
Result<NvmeControllers> nvme_controllers(Kernel& kernel);

struct NvmeTestCounts {
    u64 requests = 0;
    u64 failed = 0;
    u64 wrong = 0; ///< sectors that were read and are not what was written
};

/// Overwrites so many sectors of a namespace, a piece on each processor where there are threads,
/// and reads them back, by requests of several sizes and shapes. Errors: out_of_memory, no_space.
Result<NvmeTestCounts> test_namespace(Kernel& kernel, nvme::NamespaceDevice& device, u64 sectors);

} // namespace twofold::boot
