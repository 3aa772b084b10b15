// Where the data of an NVMe command lies: physical region pages or a scatter-gather list, walked
// and checked.
//
// Source: NVM Express Base Specification 1.4, sections 4.3 and 4.4. Where it lets a controller
// choose the status, it is the one that QEMU's controller gives.
#pragma once

#include "core/device/nvme/layout.hpp"
#include "hal/hosted/devices/nvme/nvme_medium.hpp"

namespace hosted {

namespace nvme = twofold::nvme;

/// The memory of a command's data: as addresses of the device, and as the host's once reached.
struct NvmeData {
    std::vector<NvmeSegment> segments{};
    std::vector<iovec> pieces{};

    void clear() {
        segments.clear();
        pieces.clear();
    }
};

/// Finds the `bytes` of data that the command is about. The answer is a status; where it is not
/// success, `data` is of no use. O(pages or descriptors).
u16 find_data(
    DeviceBus& bus, nvme::Command const& command, u64 bytes, u64 page_bytes, NvmeData& data);
/// Reaches the memory of what was found. False: not all of it may be. O(pages).
bool reach_data(DeviceBus& bus, hal::DmaDirection direction, u64 page_bytes, NvmeData& data);

} // namespace hosted
