// A controller of interrupt lines: the I/O APIC; and the messages by which a device raises an
// interrupt without a line. One driver over an accessor of registers, so that a model can take the
// hardware's place.
//
// Invariant: the registers are reached by an index and a window; whoever uses a driver holds the
// lock that belongs to it.
//
// Source: Intel 82093AA data sheet (290566); SDM volume 3A, section 11.11 (message signalled
// interrupts).
#pragma once

#include "hal/interrupt_types.hpp"

#include <concepts>

namespace metal {

using namespace twofold;

/// A way to the registers behind the index.
template<class R>
concept IoRegisters = requires(R& registers, u32 index, u32 value) {
    { registers.read(index) } -> std::same_as<u32>;
    { registers.write(index, value) } -> std::same_as<void>;
};

/// Bits of a redirection entry's low word.
namespace io_bit {

inline constexpr u32 active_low = 1u << 13;
inline constexpr u32 level = 1u << 15;
inline constexpr u32 masked = 1u << 16;

} // namespace io_bit

/// The largest id of a local APIC that a line or a message can address.
inline constexpr u32 destination_id_max = 0xfe;

/// A redirection entry, masked: fixed delivery to one processor by its id.
constexpr u64
encode_redirection(hal::Vector vector, u32 id, hal::Trigger trigger, hal::Polarity polarity) {
    CHECK(id <= destination_id_max);
    u32 low = vector.value | io_bit::masked;
    low |= trigger == hal::Trigger::level ? io_bit::level : 0;
    low |= polarity == hal::Polarity::low ? io_bit::active_low : 0;
    return u64{id} << 56 | low;
}

/// What a device writes to raise `vector` on the processor with that id: fixed, an edge, physical
/// destination.
constexpr hal::Message encode_message(hal::Vector vector, u32 id) {
    CHECK(id <= destination_id_max);
    return {.address = {0xfee0'0000 | u64{id} << 12}, .data = vector.value};
}

template<IoRegisters Registers>
class IoApic {
public:
    static constexpr u32 inputs_max = 240; ///< 8 bits less what the index cannot reach

    explicit IoApic(Registers registers) : m_registers(registers) {}

    /// How many lines it serves; 0 if what answers is no such controller. O(1).
    u32 inputs() {
        u32 const version = m_registers.read(version_index);
        u32 const last = version >> 16 & 0xff;
        bool const is_one = version != 0 && version != ~u32{0} && last > 0 && last < inputs_max;
        return is_one ? last + 1 : 0;
    }

    /// Holds every line back. O(inputs).
    void mask_all() {
        for (u32 input = 0, count = inputs(); input < count; ++input) {
            m_registers.write(low_index(input), io_bit::masked);
        }
    }

    /// Sets an entry, which encode_redirection made: masked first, so that no half of it is ever
    /// in force.
    void route(u32 input, u64 entry) {
        m_registers.write(low_index(input), io_bit::masked);
        m_registers.write(low_index(input) + 1, static_cast<u32>(entry >> 32));
        m_registers.write(low_index(input), static_cast<u32>(entry));
    }

    /// Errors: invalid_state (let through, but it was never routed).
    Result<void> set_masked(u32 input, bool is_masked) {
        u32 const low = m_registers.read(low_index(input)) & ~io_bit::masked;
        if (!is_masked && (low & 0xff) == 0) {
            return Error::invalid_state;
        }
        m_registers.write(low_index(input), low | (is_masked ? io_bit::masked : 0));
        return {};
    }

private:
    static constexpr u32 version_index = 1;
    static constexpr u32 low_index(u32 input) { return 0x10 + 2 * input; }

    Registers m_registers;
};

} // namespace metal
