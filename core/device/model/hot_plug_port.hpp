// The driver of a port of PCI Express that devices are plugged into while the machine runs. It
// hears of what happens to its slot; what follows from that is for who has the registry.
#pragma once

#include "core/device/model/driver.hpp"
#include "core/device/pci/msix_table.hpp"
#include "core/device/pci/slot.hpp"

#include <optional>

namespace twofold::device {

class HotPlugPort final : public BoundDevice {
public:
    static bool matches(pci::Function const& function);
    /// Errors: not_supported (no such slot, it cannot send messages, or nobody wants to hear of
    /// it), out_of_memory, no_space, those of the interrupt controllers.
    static Result<BoundDevice*>
    probe(DriverEnvironment const& environment, pci::Function const& function);

    pci::Slot const& slot() const { return m_slot; }
    /// The bus behind it. O(1).
    u8 bus() const { return m_space.read_8(pci::offset::secondary_bus); }
    u8 last_bus() const { return m_space.read_8(pci::offset::subordinate_bus); }

    void remove(Removal how) override;
    Result<void> suspend() override;
    Result<void> resume() override;

private:
    HotPlugPort(DriverEnvironment const& environment, pci::Function const& function)
        : m_environment(environment),
          m_space(environment.configuration, function.where),
          m_slot(m_space, *function.slot),
          m_msi(function.msi),
          m_msix(function.msix) {}
    ~HotPlugPort() = default;

    Result<void> begin(pci::Function const& function);
    Result<void> map_table(pci::Function const& function);
    void give_back();
    static void work(void* self);

    DriverEnvironment m_environment;
    pci::FunctionSpace m_space;
    pci::Slot m_slot;
    std::optional<pci::MsiInfo> m_msi;
    std::optional<pci::MsixInfo> m_msix;
    VirtAddr m_table{};
    VirtAddr m_pending{};
    std::optional<hal::Vector> m_vector;
};

inline constexpr Driver hot_plug_port_driver{"pcie-port", HotPlugPort::matches, HotPlugPort::probe};

} // namespace twofold::device
