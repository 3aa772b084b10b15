// The 8254 timer as something to measure against: its first channel counts down from 65536 over
// and over, and is read now and then. Channel 0, because its gate is always open: that of channel
// 2 hangs on the speaker's port, which small machines lack. Its interrupt is not used, nor let
// through.
//
// Source: Intel 8254 data sheet (231164).
#pragma once

#include "core/base/base.hpp"

#include <concepts>

namespace metal {

using namespace twofold;

template<class P>
concept BytePorts = requires(P& ports, u16 port, u8 value) {
    { ports.read(port) } -> std::same_as<u8>;
    { ports.write(port, value) } -> std::same_as<void>;
};

template<BytePorts Ports>
class LegacyTimer {
public:
    static constexpr u64 hz = 1'193'182;

    explicit LegacyTimer(Ports ports) : m_ports(ports) {}

    /// Lets the channel count, as one that interrupts once at most.
    void start() {
        constexpr u8 channel_0_both_bytes_once = 0x30;
        m_ports.write(control, channel_0_both_bytes_once);
        m_ports.write(data, 0);
        m_ports.write(data, 0);
    }

    /// The count as it stands: falls, and goes on from 65535 after 0.
    u16 count() {
        constexpr u8 latch_channel_0 = 0x00;
        m_ports.write(control, latch_channel_0);
        u8 const low = m_ports.read(data);
        u8 const high = m_ports.read(data);
        return static_cast<u16>(high << 8 | low);
    }

private:
    static constexpr u16 data = 0x40;
    static constexpr u16 control = 0x43;

    Ports m_ports;
};

} // namespace metal
