// Brings a PC's keyboard controller, keyboard and mouse to where they send what is typed and moved,
// by looking alone: the controller raises no interrupts meanwhile. Context thread; takes as long as
// the devices' own tests, which may be a second on real ones.
#pragma once

#include "core/device/input/keys.hpp"
#include "core/device/input/mouse.hpp"
#include "core/device/input/ps2_controller.hpp"

namespace twofold::device {

/// What is behind the controller, and how it speaks.
struct Ps2Devices {
    bool has_keyboard = false;
    bool has_mouse = false;
    ScancodeSet set = ScancodeSet::one; ///< of the bytes that arrive
    MouseDecoder::Wheel wheel = MouseDecoder::Wheel::absent;
    u8 command_byte = 0; ///< of the controller, without interrupts
};

/// `wanted` is the set to be asked for; two means without translation, and one where the keyboard
/// does not say that it has set 2. Errors: not_found (there is no controller, or nothing behind
/// it), io_failed (its self-test fails, or it takes no more commands).
Result<Ps2Devices> open_ps2_devices(ScancodeSet wanted);

/// The devices are silent again.
void close_ps2_devices();

} // namespace twofold::device
