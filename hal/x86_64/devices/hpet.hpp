// The high-precision event timer: a counter that all processors share, and comparators that
// interrupt. One driver over an accessor of registers.
//
// Invariant: registers are reached by 32 bits, which every implementation allows; whoever programs
// a comparator holds the lock that belongs to it. Reading the counter needs none.
//
// Source: IA-PC HPET Specification 1.0a, section 2.3.
#pragma once

#include "hal/interrupt_types.hpp"

#include <concepts>
#include <optional>

namespace metal {

using namespace twofold;

/// A way to the registers, by their offset.
template<class R>
concept HpetRegisters = requires(R& registers, u32 offset, u32 value) {
    { registers.read(offset) } -> std::same_as<u32>;
    { registers.write(offset, value) } -> std::same_as<void>;
};

template<HpetRegisters Registers>
class Hpet {
public:
    Hpet() = default;
    explicit Hpet(Registers registers) : m_registers(registers) {}

    /// Whether something answers that looks like one: its period lies within the specification's
    /// bounds.
    bool answers() {
        u32 const period = period_femtoseconds();
        return period >= period_min && period <= period_max;
    }
    /// Frequency of the counter; answers() must hold.
    u64 hz() { return femtoseconds_per_second / period_femtoseconds(); }
    /// Whether the counter has 64 bits and so never ends.
    bool is_wide() { return (m_registers.read(capabilities) & wide_counter) != 0; }
    u32 comparators() { return (m_registers.read(capabilities) >> 8 & 0x1f) + 1; }

    /// Lets the counter run, from wherever it stands, and silences every comparator.
    void start() {
        for (u32 timer = 0, count = comparators(); timer < count; ++timer) {
            u32 const configuration = m_registers.read(timer_configuration(timer));
            m_registers.write(timer_configuration(timer), configuration & ~enabled_interrupt);
        }
        u32 const general = m_registers.read(general_configuration) & ~legacy_replacement;
        m_registers.write(general_configuration, general | enabled_counter);
    }

    /// The low half of the counter.
    u32 count_low() { return m_registers.read(counter); }
    /// The whole counter, which must be wide; consistent whatever happens in between.
    u64 count() {
        u32 high = m_registers.read(counter + 4);
        for (;;) { // a second time at most, unless the caller is held up for minutes
            u32 const low = m_registers.read(counter);
            u32 const again = m_registers.read(counter + 4);
            if (again == high) {
                return u64{high} << 32 | low;
            }
            high = again;
        }
    }

    /// A line that comparator `timer` can raise; nothing if it has none. Those first that no device
    /// of a PC shares: 2 and 8 belonged to the legacy timers.
    std::optional<hal::Line> line(u32 timer) {
        u32 const possible = m_registers.read(timer_configuration(timer) + 4);
        for (u32 const wanted : {2u, 8u}) {
            if ((possible >> wanted & 1) != 0) {
                return hal::Line{wanted};
            }
        }
        for (u32 wanted = 31; wanted > 8; --wanted) {
            if ((possible >> wanted & 1) != 0) {
                return hal::Line{wanted};
            }
        }
        return std::nullopt;
    }

    /// Sets comparator `timer` up for single interrupts, an edge on `line`, compared by 32 bits.
    void prepare(u32 timer, hal::Line line) {
        CHECK(line.value < 32);
        u32 configuration = m_registers.read(timer_configuration(timer));
        configuration &= ~(route_mask | level | periodic | by_message);
        m_registers.write(
            timer_configuration(timer),
            configuration | line.value << 9 | compared_by_32_bits | enabled_interrupt);
    }
    void silence(u32 timer) {
        u32 const configuration = m_registers.read(timer_configuration(timer));
        m_registers.write(timer_configuration(timer), configuration & ~enabled_interrupt);
    }

    /// The interrupt comes when the counter's low half has reached `count`. False if that has
    /// passed already, and so may not come (`ticks_max` bounds how far ahead it may lie).
    bool arm(u32 timer, u32 count) {
        m_registers.write(timer_comparator(timer), count);
        return static_cast<i32>(count - count_low()) > 0;
    }
    static constexpr u32 ticks_max = u32{1} << 30;

private:
    static constexpr u64 femtoseconds_per_second = 1'000'000'000'000'000;
    static constexpr u32 period_min = 1'000'000;   // 1 GHz
    static constexpr u32 period_max = 100'000'000; // 10 MHz

    static constexpr u32 capabilities = 0x00;
    static constexpr u32 general_configuration = 0x10;
    static constexpr u32 counter = 0xf0;
    static constexpr u32 timer_configuration(u32 timer) { return 0x100 + 0x20 * timer; }
    static constexpr u32 timer_comparator(u32 timer) { return 0x108 + 0x20 * timer; }

    static constexpr u32 wide_counter = 1u << 13;
    static constexpr u32 enabled_counter = 1u << 0;
    static constexpr u32 legacy_replacement = 1u << 1;
    static constexpr u32 level = 1u << 1;
    static constexpr u32 enabled_interrupt = 1u << 2;
    static constexpr u32 periodic = 1u << 3;
    static constexpr u32 compared_by_32_bits = 1u << 8;
    static constexpr u32 route_mask = 31u << 9;
    static constexpr u32 by_message = 1u << 14;

    u32 period_femtoseconds() { return m_registers.read(capabilities + 4); }

    Registers m_registers{};
};

} // namespace metal
