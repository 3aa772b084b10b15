// See slot.hpp.
#include "core/device/pci/slot.hpp"

#include "core/sync/sync.hpp"
#include "hal/clock.hpp"

namespace twofold::pci {

namespace {

// Offsets in the capability.
constexpr u32 link_capabilities = 0x0c, link_status = 0x12, slot_control = 0x18, slot_status = 0x1a;

// Of the slot's capabilities.
constexpr u32 attention_button = 1, no_command_completed = 1u << 18;

// Of control; of status those that are not named here lie where the same is enabled.
constexpr u16 button_enable = 1, presence_enable = 1u << 3, all_enables = 0x1f,
              interrupt_enable = 1u << 5, power_indicator = 3u << 8, power_indicator_on = 1u << 8,
              power_indicator_off = 3u << 8, power_off = 1u << 10, link_enable = 1u << 12;
constexpr u16 button_pressed = 1, presence_changed = 1u << 3, command_completed = 1u << 4,
              present = 1u << 6, link_changed = 1u << 8;

constexpr u32 tells_of_link = 1u << 20;
constexpr u16 link_active = 1u << 13;

} // namespace

SlotNews Slot::take_news() const {
    u16 const seen = m_space.read_16(m_info.offset + slot_status);
    constexpr u16 events = button_pressed | presence_changed | link_changed;
    m_space.write_16(m_info.offset + slot_status, seen & events); // ones clear
    return {
        .is_present = (seen & present) != 0,
        .has_changed = (seen & (presence_changed | link_changed)) != 0,
        .is_pressed = (seen & button_pressed) != 0};
}

bool Slot::is_present() const {
    return (m_space.read_16(m_info.offset + slot_status) & present) != 0;
}

bool Slot::has_link() const {
    bool const is_told = (m_space.read_32(m_info.offset + link_capabilities) & tells_of_link) != 0;
    return !is_told || (m_space.read_16(m_info.offset + link_status) & link_active) != 0;
}

bool Slot::is_powered() const {
    return !has_power_control() || (m_space.read_16(m_info.offset + slot_control) & power_off) == 0;
}

/// One command for the slot, which it tells the end of where it can.
void Slot::command(u16 cleared, u16 set) const {
    bool const is_told = (m_info.capabilities & no_command_completed) == 0;
    if (is_told) {
        m_space.write_16(m_info.offset + slot_status, command_completed);
    }
    u32 const before = m_space.read_16(m_info.offset + slot_control);
    m_space.write_16(
        m_info.offset + slot_control, static_cast<u16>((before & ~u32{cleared}) | set));
    Nanos const deadline = hal::Clock::now() + patience;
    while (is_told && (m_space.read_16(m_info.offset + slot_status) & command_completed) == 0 &&
           hal::Clock::now() < deadline) {
        sync::relax();
    }
}

void Slot::set_power(Switch wanted) const {
    if (has_power_control()) {
        bool const is_on = wanted == Switch::on;
        command(
            power_off | power_indicator,
            is_on ? power_indicator_on : static_cast<u16>(power_off | power_indicator_off));
    }
}

void Slot::set_interrupts(Switch wanted) const {
    bool const has_button = (m_info.capabilities & attention_button) != 0;
    auto const wanted_bits = static_cast<u16>(
        interrupt_enable | presence_enable | link_enable | (has_button ? button_enable : 0));
    command(
        all_enables | interrupt_enable | link_enable, wanted == Switch::on ? wanted_bits : u16{0});
}

} // namespace twofold::pci
