// The kernel's side of what devices reach: it changes the machine's tables itself.
#include "hal/dma.hpp"

#include "hal/hosted/devices/pci_access.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"

namespace hal {

using namespace hosted;

namespace {

/// The tables, and how much memory they speak of: the same on every processor of a machine.
DmaTables tables() {
    GuestCpu const& cpu = guest_cpu();
    return {cpu.machine->dma_tables, cpu.memory_bytes};
}

bool is_ram(u64 at, u64 size) {
    GuestCpu const& cpu = guest_cpu();
    bool const is_inside = at <= cpu.memory_bytes && size <= cpu.memory_bytes - at;
    return is_inside && (at + size <= low_memory_end || at >= cpu.machine->high_memory_begin);
}

} // namespace

DmaDomain Dma::domain(PciAddress function) {
    if (!function.is_possible()) {
        return {};
    }
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::dma_domain, pack({function, 0, sizeof(u32)}));
    return {static_cast<u32>(self.cpu().result)};
}

Result<DmaAddress> Dma::map(DmaDomain domain, PhysAddr memory, Bytes size, DmaDirection direction) {
    if (domain.number == DmaDomain::none) {
        return DmaAddress{memory.value};
    }
    if (!is_ram(memory.value, size.value)) {
        return Error::out_of_range;
    }
    DmaPages const pages(memory.value, size.value);
    TRY(tables().add(domain.number, pages.first, pages.count, direction));
    return DmaAddress{memory.value + dma_shift};
}

void Dma::unmap(DmaDomain domain, DmaAddress address, Bytes size, DmaDirection direction) {
    if (domain.number == DmaDomain::none) {
        return;
    }
    CHECK(address.value >= dma_shift); // as `map` has answered
    DmaPages const pages(address.value - dma_shift, size.value);
    tables().remove(domain.number, pages.first, pages.count, direction);
}

} // namespace hal
