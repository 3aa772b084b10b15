// Memory as devices see it. A device reaches what is mapped for it, at the address that it was
// mapped at, and nothing else: where the machine has the means, anything else is refused.
#pragma once

#include "hal/dma_types.hpp"
#include "hal/pci_types.hpp"

#include <concepts>

#include <machine/dma.hpp>

namespace hal {

template<class D>
concept DmaContract = requires(
    PciAddress function,
    DmaDomain domain,
    PhysAddr memory,
    DmaAddress address,
    Bytes size,
    DmaDirection direction) {
    /// The view that the function has. Context thread. O(devices).
    { D::domain(function) } -> std::same_as<DmaDomain>;
    /// From now on the device reaches `size` bytes of RAM at `memory`, and may reach what else lies
    /// on the same pages; one piece for the device where it is one in physical memory. What is
    /// mapped several times stays so until each mapping is undone. Any context up to irq. Errors:
    /// out_of_range (no RAM lies there), no_space (mapped too often). O(pages).
    { D::map(domain, memory, size, direction) } -> std::same_as<Result<DmaAddress>>;
    /// Undoes one mapping, with what it was made with. The device has let go of it. Any context up
    /// to irq. O(pages).
    { D::unmap(domain, address, size, direction) } -> std::same_as<void>;
};
static_assert(DmaContract<Dma>, "the machine's Dma does not keep the contract");

} // namespace hal
