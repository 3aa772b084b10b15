// The hosted machine: a device sees memory by the tables of hal/hosted/dma_tables.hpp, and its bus
// refuses what is not mapped. What the machine has no device at reaches nothing.
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
