// An emulator's debug-exit device: QEMU's isa-debug-exit at port 0xf4.
#pragma once

#include "hal/x86_64/instructions.hpp"

namespace metal {

/// Ends the emulation with `status` (QEMU: its own exit status is status * 2 + 1). Returns on a
/// machine without the device.
inline void debug_exit(u8 status) {
    constexpr u16 port = 0xf4;
    write_port_32(port, status);
}

/// The exit status of a machine that could not start (the project's convention).
inline constexpr u8 status_machine_crashed = 71;

} // namespace metal
