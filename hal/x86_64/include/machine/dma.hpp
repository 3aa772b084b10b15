// The metal machine: no unit translates what devices address, so they see physical memory as it is.
#pragma once

#include "hal/dma_types.hpp"
#include "hal/pci_types.hpp"

namespace hal {

struct Dma {
    static DmaDomain domain(PciAddress) { return {}; }
    static Result<DmaAddress> map(DmaDomain, PhysAddr memory, Bytes, DmaDirection) {
        return DmaAddress{memory.value};
    }
    static void unmap(DmaDomain, DmaAddress, Bytes, DmaDirection) {}
};

} // namespace hal
