// The end of a run, and a new start.
//
// Source: ACPI 6.5, sections 4.8.3.2 (PM1 control), 7.4.2 (soft off), 4.8.3.6 (the reset register).
#include "hal/power.hpp"
#include "hal/cpu.hpp"
#include "hal/x86_64/debug_exit.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"

namespace hal {

namespace {

using Space = RegisterWrite::Space;

constexpr unsigned most_polls = 100'000;

void wait_a_while() {
    for (unsigned poll = 0; poll < most_polls; ++poll) {
        Cpu::pause();
    }
}

/// The register of type T in a device's memory.
template<class T>
T volatile& memory_of(RegisterWrite const& place) {
    return *reinterpret_cast<T volatile*>(place.view.value);
}

u32 read(RegisterWrite const& place) {
    bool const port = place.space == Space::port;
    switch (place.bytes) {
    case 1:
        return port ? metal::read_port(place.port) : memory_of<u8>(place);
    case 2:
        return port ? metal::read_port_16(place.port) : memory_of<u16>(place);
    default:
        return port ? metal::read_port_32(place.port) : memory_of<u32>(place);
    }
}

void write_memory(RegisterWrite const& place, u32 value) {
    switch (place.bytes) {
    case 1:
        memory_of<u8>(place) = static_cast<u8>(value);
        break;
    case 2:
        memory_of<u16>(place) = static_cast<u16>(value);
        break;
    default:
        memory_of<u32>(place) = value;
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

void soft_off(PowerPlan const& plan) {
    constexpr u32 fixed_registers_are_ours = 1; // SCI_EN
    write(plan.take_over);
    for (unsigned poll = 0; plan.take_over.space != Space::none && poll < most_polls; ++poll) {
        if ((read(plan.power_off[0]) & fixed_registers_are_ours) != 0) {
            break;
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
