// See containment.hpp.
#include "core/device/model/containment.hpp"

namespace twofold::device {

namespace {

constexpr u16 nobody = UINT16_MAX; // is read where no function is

} // namespace

void Containment::stop(pci::FunctionSpace const& space) {
    u16 const command = space.read_16(pci::offset::command);
    if (command != nobody) {
        space.write_16(pci::offset::command, static_cast<u16>(command & ~u32{master}));
    }
}

void Containment::restore(pci::Configuration configuration) const {
    pci::FunctionSpace const space(configuration, m_where);
    if (space.read_16(pci::offset::command) == nobody) {
        return;
    }
    if (m_keeps == 0) {
        stop(space);
    }
    if (m_msi) {
        pci::Msi(space, *m_msi).set_messages(pci::Switch::off);
    }
    if (m_msix) {
        pci::MsixControl control(space, *m_msix);
        control.set_messages(pci::Switch::off);
        control.set_function_mask(pci::Switch::off);
    }
    space.write_16(pci::offset::command, static_cast<u16>(m_command & (m_keeps | ~u32{master})));
}

} // namespace twofold::device
