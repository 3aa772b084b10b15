// MouseDecoder: the packets of a PS/2 mouse in, movements out, one byte at a time.
//
// A packet is three bytes: buttons with the signs and overflows of both axes, and the movement to
// the right and upwards, of nine bits with the sign; a mouse with a wheel adds a fourth. Bit 3 of
// the first byte is always one, so a byte without it begins none: it is dropped, and the next one
// is looked at. A movement that was too far for its counter is as far as that goes. Pure; any
// context.
//
// Source: IBM PS/2 Hardware Interface Technical Reference, "Auxiliary Device"; Microsoft,
// "IntelliMouse", for the wheel.
#pragma once

#include "core/base/base.hpp"

#include <optional>

namespace twofold::device {

struct MouseEvent {
    enum Button : u8 { left = 1, right = 2, middle = 4 };

    i32 dx = 0;     ///< to the right
    i32 dy = 0;     ///< downwards
    i32 wheel = 0;  ///< notches towards whoever holds it, by which one scrolls down
    u8 buttons = 0; ///< that are held: Button, combined
    constexpr bool operator==(MouseEvent const&) const = default;
};

class MouseDecoder {
public:
    static constexpr u32 packet_bytes_max = 4;

    enum class Wheel : u8 { absent, present };

    explicit constexpr MouseDecoder(Wheel wheel = Wheel::absent)
        : m_packet_bytes(wheel == Wheel::present ? packet_bytes_max : packet_bytes_max - 1) {}

    /// Takes the next byte, which may complete a packet. O(1).
    constexpr std::optional<MouseEvent> take(u8 byte) {
        if (m_count == 0 && (byte & always_one) == 0) {
            ++m_resyncs;
            return std::nullopt;
        }
        m_packet[m_count++] = byte;
        if (m_count < m_packet_bytes) {
            return std::nullopt;
        }
        m_count = 0;
        return MouseEvent{
            .dx = moved(m_packet[1], sign_x, overflow_x),
            .dy = -moved(m_packet[2], sign_y, overflow_y),
            .wheel = m_packet_bytes == packet_bytes_max ? static_cast<i8>(m_packet[3]) : 0,
            .buttons = static_cast<u8>(m_packet[0] & buttons_mask)};
    }
    /// Bytes have been lost: the next one begins a packet. O(1).
    constexpr void restart() { m_count = 0; }
    /// Bytes that began no packet.
    constexpr u64 resyncs() const { return m_resyncs; }

private:
    static constexpr u8 buttons_mask = 0x07;
    static constexpr u8 always_one = 0x08;
    static constexpr u8 sign_x = 0x10;
    static constexpr u8 sign_y = 0x20;
    static constexpr u8 overflow_x = 0x40;
    static constexpr u8 overflow_y = 0x80;

    constexpr i32 moved(u8 low, u8 sign, u8 overflow) const {
        bool const is_negative = (m_packet[0] & sign) != 0;
        if ((m_packet[0] & overflow) != 0) {
            return is_negative ? -256 : 255;
        }
        return is_negative ? i32{low} - 256 : i32{low};
    }

    u32 m_packet_bytes;
    u32 m_count = 0; ///< of the packet that is under way
    u8 m_packet[packet_bytes_max] = {};
    u64 m_resyncs = 0;
};

} // namespace twofold::device
