// What has come to the PCI bus and what has gone since it was looked at last, told to the registry.
//
// All buses that functions are known on, or that a known bridge leads to, are looked at. A function
// that a driver may have is only asked who it is: its base addresses are not sized again. A bridge
// that comes by itself is not numbered, so what is behind it is not seen.
#pragma once

#include "core/boot/device_model.hpp"

namespace twofold::boot {

/// For one look, while no other context is in the registry. Context thread, interrupts on.
class Rescan {
public:
    Rescan(PciBus& bus, device::DriverRegistry& registry)
        : m_bus(bus), m_configuration(pci::Configuration::of(bus.access)), m_registry(registry) {}

    /// Errors: out_of_memory, no_space (some that have come are not known). O(buses).
    Result<BusChanges> run();
    /// Gives addresses to what was there at the start and has none. No driver runs. O(functions).
    void complete();
    /// The functions on buses `first` to `last` are gone, or leave.
    void take_away(u16 segment, u8 first, u8 last, device::Removal how);
    /// What has come to the bus. Errors as above.
    Result<void> scan_bus(u16 segment, u8 bus);
    bool is_known(u16 segment, u8 bus) const;

private:
    bool is_there(pci::Function const& function) const;
    void take_departed();
    void forget(pci::Address where, device::Removal how);
    Result<void> scan(u16 segment);
    Result<void> scan_device(pci::Address first);
    void give_addresses(pci::Function const& function);
    Result<void> take_arrived(pci::Address where);

    PciBus& m_bus;
    pci::Configuration m_configuration;
    device::DriverRegistry& m_registry;
    BusChanges m_changes;
};

} // namespace twofold::boot
