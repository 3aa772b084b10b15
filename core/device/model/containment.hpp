// What a driver changes of a function beside its device: whether it decodes its memory, masters the
// bus and sends messages. It is kept apart from drivers, so that one that fails, or leaves
// something behind, cannot leave a device that still writes to memory.
#pragma once

#include "core/device/pci/enumeration.hpp"

namespace twofold::device {

/// The function's settings before a driver has it. A value.
class Containment {
public:
    Containment(pci::Configuration configuration, pci::Function const& function)
        : m_where(function.where),
          m_msi(function.msi),
          m_msix(function.msix),
          m_keeps(function.header.kind == pci::HeaderKind::bridge ? master : u16{0}),
          m_command(pci::FunctionSpace(configuration, m_where).read_16(pci::offset::command)) {}

    /// The function masters the bus no more, first of all, but for a bridge that did before; then
    /// it sends no messages, and decodes what it did before. Nothing happens to one that is not
    /// there. Any context; O(1).
    void restore(pci::Configuration configuration) const;
    /// The first of that alone, for who has no time: a panic.
    static void stop(pci::FunctionSpace const& space);

private:
    static constexpr u16 master = 4; ///< of the command register (PCI 3.0, section 6.2.2)

    pci::Address m_where;
    std::optional<pci::MsiInfo> m_msi;
    std::optional<pci::MsixInfo> m_msix;
    u16 m_keeps; ///< of a bridge: what is behind it masters the bus by it
    u16 m_command;
};

} // namespace twofold::device
