// The slot of a port of PCI Express: whether a device is in it, what has changed, its power.
// Registers alone; who uses them is the driver of the port (core/device/model/hot_plug_port.hpp).
//
// Source: PCI Express Base Specification 5.0, sections 6.7 and 7.5.3.
#pragma once

#include "core/device/pci/enumeration.hpp"

namespace twofold::pci {

/// What has happened to a slot since it was asked last.
struct SlotNews {
    bool is_present = false;  ///< a device is in it
    bool has_changed = false; ///< another one than before, or none, or one where none was
    bool is_pressed = false;  ///< somebody asks for the device to be put to use, or to be let go
};

/// One context at a time. Every operation but `set_power` is O(1).
class Slot {
public:
    static constexpr Nanos patience{i64{1} * 1'000'000'000}; ///< with a command or a link

    Slot(FunctionSpace const& space, SlotInfo const& info) : m_space(space), m_info(info) {}

    /// What has happened, which is acknowledged.
    SlotNews take_news() const;
    bool is_present() const;
    /// Whether the device in it is reached; known where the link says so, else assumed.
    bool has_link() const;
    bool has_power_control() const { return (m_info.capabilities & power_controller) != 0; }
    bool is_powered() const;
    /// Does nothing where there is no power control. A clock is there; waits for the slot,
    /// `patience` at most. Context thread.
    void set_power(Switch wanted) const;
    /// Whether the port interrupts for what happens.
    void set_interrupts(Switch wanted) const;

private:
    static constexpr u32 power_controller = 1u << 1;

    void command(u16 cleared, u16 set) const;

    FunctionSpace m_space;
    SlotInfo m_info;
};

} // namespace twofold::pci
