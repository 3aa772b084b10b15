// The end of a run, and a new start.
//
// Source: ACPI 6.5, sections 4.8.3.2 (PM1 control), 7.4.2 (soft off), 4.8.3.6 (the reset register).
#include "hal/power.hpp"
#include "hal/cpu.hpp"
#include "hal/x86_64/debug_exit.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "isa/device_access.hpp"

namespace hal {

namespace {

using Space = RegisterWrite::Space;

constexpr unsigned most_polls = 100'000;

void wait_a_while() {
    for (unsigned poll = 0; poll < most_polls; ++poll) {
        Cpu::pause();
    }
}

u32 read(RegisterWrite const& place) {
    bool const port = place.space == Space::port;
    switch (place.bytes) {
    case 1:
        return port ? metal::read_port(place.port) : isa::DeviceAccess::read_8(place.view);
    case 2:
        return port ? metal::read_port_16(place.port) : isa::DeviceAccess::read_16(place.view);
    default:
        return port ? metal::read_port_32(place.port) : isa::DeviceAccess::read_32(place.view);
    }
}

void write_memory(RegisterWrite const& place, u32 value) {
    switch (place.bytes) {
    case 1:
        isa::DeviceAccess::write_8(place.view, static_cast<u8>(value));
        break;
    case 2:
        isa::DeviceAccess::write_16(place.view, static_cast<u16>(value));
        break;
    default:
        isa::DeviceAccess::write_32(place.view, value);
        break;
    }
}

void write_port(RegisterWrite const& place, u32 value) {
    switch (place.bytes) {
    case 1:
        metal::write_port(place.port, static_cast<u8>(value));
        break;
    case 2:
        metal::write_port_16(place.port, static_cast<u16>(value));
        break;
    default:
        metal::write_port_32(place.port, value);
        break;
    }
}

void write(RegisterWrite const& place) {
    if (place.space == Space::none) {
        return;
    }
    u32 const value = place.value | (place.keep != 0 ? read(place) & place.keep : 0);
    if (place.space == Space::port) {
        write_port(place, value);
    } else {
        write_memory(place, value);
    }
}

/// Whether the fixed registers are the kernel's: SCI_EN.
bool is_taken_over(PowerPlan const& plan) {
    return plan.power_off[0].space == Space::none || (read(plan.power_off[0]) & 1) != 0;
}

void soft_off(PowerPlan const& plan) {
    if (plan.take_over.space != Space::none && !is_taken_over(plan)) {
        write(plan.take_over);
        for (unsigned poll = 0; poll < most_polls && !is_taken_over(plan); ++poll) {
            Cpu::pause();
        }
    }
    for (RegisterWrite const& step : plan.power_off) {
        write(step);
    }
}

} // namespace

void Power::adopt(PowerPlan const& plan) {
    metal::machine().power = plan;
}

void Power::exit(u8 status) {
    metal::machine().serial.drain();
    metal::debug_exit(status);
    soft_off(metal::machine().power);
    metal::stop();
}

void Power::reset() {
    constexpr u16 keyboard_controller = 0x64;
    constexpr u8 pulse_reset = 0xfe;
    constexpr u8 input_full = 2;
    write(metal::machine().power.reset);
    wait_a_while();
    for (unsigned poll = 0; poll < most_polls; ++poll) {
        if ((metal::read_port(keyboard_controller) & input_full) == 0) {
            break;
        }
    }
    metal::write_port(keyboard_controller, pulse_reset);
    wait_a_while();
    // No interrupt table: the breakpoint cannot be delivered, nor the fault that follows, nor the
    // third.
    struct [[gnu::packed]] {
        u16 limit;
        u64 base;
    } const nothing{};
    asm volatile("lidt %0\n\tint3" : : "m"(nothing));
    metal::stop();
}

} // namespace hal
