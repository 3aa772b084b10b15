// The kernel's side of the hosted machine's PCI bus: each access is asked of the machine.
#include "hal/pci.hpp"

#include "hal/hosted/devices/pci_access.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"

namespace hal {

using namespace hosted;

namespace {

/// All ones where no such access is possible at all.
u32 read(PciAddress function, u32 offset, u32 width) {
    if (!function.is_possible() || !is_pci_access(offset, width, pci_extended_space_bytes)) {
        return ~u32{0};
    }
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::pci_read, pack({function, offset, width}));
    return static_cast<u32>(self.cpu().result);
}

void write(PciAddress function, u32 offset, u32 width, u32 value) {
    if (function.is_possible() && is_pci_access(offset, width, pci_extended_space_bytes)) {
        Undisturbed const self;
        exit_to_machine(self.cpu(), Request::pci_write, pack({function, offset, width}), value);
    }
}

} // namespace

u32 Pci::space_bytes(u16 segment, u8) {
    return segment == 0 ? pci_extended_space_bytes : 0;
}

u8 Pci::read_8(PciAddress function, u32 offset) {
    return static_cast<u8>(read(function, offset, sizeof(u8)));
}

u16 Pci::read_16(PciAddress function, u32 offset) {
    return static_cast<u16>(read(function, offset, sizeof(u16)));
}

u32 Pci::read_32(PciAddress function, u32 offset) {
    return read(function, offset, sizeof(u32));
}

void Pci::write_8(PciAddress function, u32 offset, u8 value) {
    write(function, offset, sizeof(value), value);
}

void Pci::write_16(PciAddress function, u32 offset, u16 value) {
    write(function, offset, sizeof(value), value);
}

void Pci::write_32(PciAddress function, u32 offset, u32 value) {
    write(function, offset, sizeof(value), value);
}

Result<void> Pci::attach(PciWindow window) {
    bool const sound = window.first_bus <= window.last_bus && is_aligned(window.base, page_size);
    return sound ? Error::not_supported : Error::invalid_argument;
}

} // namespace hal
