// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/dma_types.hpp"
#include "hal/pci_types.hpp"

namespace hal {

struct Dma {
    static DmaDomain domain(PciAddress function);
    static Result<DmaAddress>
    map(DmaDomain domain, PhysAddr memory, Bytes size, DmaDirection direction);
    static void unmap(DmaDomain domain, DmaAddress address, Bytes size, DmaDirection direction);
};

} // namespace hal
