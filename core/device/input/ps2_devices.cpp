// See ps2_devices.hpp.
#include "core/device/input/ps2_devices.hpp"

namespace twofold::device {

namespace {

using ps2::Command;
using Port = Ps2Controller::Port;

constexpr i64 ms = 1'000'000;
constexpr Nanos answer_limit{50 * ms};
constexpr Nanos self_test_limit{500 * ms};
/// A keyboard's own test (IBM: 300 to 500 ms) and a mouse's.
constexpr Nanos device_test_limit{1'000 * ms};
constexpr u32 tries = 3;
/// What devices may say before they answer: keys that are hit meanwhile.
constexpr u32 passed_over_max = 32;

enum class ToDevice : u8 {
    lights = 0xed,
    scancode_set = 0xf0,
    identify = 0xf2,
    rate = 0xf3,
    start = 0xf4,
    reset = 0xff,
};

/// The next byte of the device that `is_wanted` says is an answer.
template<class IsWanted>
Result<u8> receive_from(Port port, Nanos limit, IsWanted const& is_wanted) {
    for (u32 passed_over = 0; passed_over < passed_over_max; ++passed_over) {
        Ps2Controller::Received const received = TRY(Ps2Controller::receive(limit));
        if (received.from == port && is_wanted(received.byte)) {
            return received.byte;
        }
    }
    return Error::io_failed;
}

Result<u8> receive_any(Port port) {
    return receive_from(port, answer_limit, [](u8) { return true; });
}

/// Sends a byte, again where the device wants that, until it is acknowledged.
Result<void> tell(Port port, u8 byte) {
    for (u32 attempt = 0; attempt < tries; ++attempt) {
        TRY(Ps2Controller::send(port, byte));
        u8 const answer = TRY(receive_from(port, answer_limit, [](u8 said) {
            return said == ps2::acknowledged || said == ps2::again;
        }));
        if (answer == ps2::acknowledged) {
            return {};
        }
    }
    return Error::io_failed;
}

Result<void> tell(Port port, ToDevice what) {
    return tell(port, static_cast<u8>(what));
}

Result<void> tell(Port port, ToDevice what, u8 parameter) {
    TRY(tell(port, what));
    return tell(port, parameter);
}

Result<void> reset(Port port) {
    TRY(tell(port, ToDevice::reset));
    u8 const outcome = TRY(receive_from(port, device_test_limit, [](u8 said) {
        return said == ps2::passed || said == ps2::failed;
    }));
    if (outcome != ps2::passed) {
        return Error::io_failed;
    }
    if (port == Port::mouse) {
        TRY(receive_any(port)); // what it is
    }
    return {};
}

Result<void> write_command_byte(u8 value) {
    return Ps2Controller::command(Command::write_command_byte, value);
}

/// Has the controller test itself, and finds out whether it has a port for a mouse.
Result<bool> open_controller(Ps2Devices& devices) {
    using namespace ps2::command_byte;
    if (!Ps2Controller::is_there()) {
        return Error::not_found;
    }
    if (!Ps2Controller::command(Command::keyboard_off) ||
        !Ps2Controller::command(Command::mouse_off)) {
        return Error::not_found; // what is there takes nothing
    }
    Ps2Controller::flush();
    auto const before = Ps2Controller::ask(Command::read_command_byte, answer_limit);
    if (!before) {
        return Error::not_found;
    }
    constexpr u8 not_wanted = keyboard_interrupt | mouse_interrupt | translated;
    devices.command_byte = static_cast<u8>(before.value() & ~not_wanted);
    TRY(write_command_byte(devices.command_byte));
    constexpr u8 self_test_passed = 0x55;
    auto const tested = Ps2Controller::ask(Command::test_itself, self_test_limit);
    if (!tested || tested.value() != self_test_passed) {
        return Error::io_failed;
    }
    TRY(write_command_byte(devices.command_byte)); // some forget it in the test
    TRY(Ps2Controller::command(Command::mouse_on));
    auto const after = Ps2Controller::ask(Command::read_command_byte, answer_limit);
    TRY(Ps2Controller::command(Command::mouse_off));
    bool const has_mouse_port = after && (after.value() & mouse_off) == 0;
    return has_mouse_port;
}

bool passes(Command test) {
    auto const outcome = Ps2Controller::ask(test, answer_limit);
    return outcome && outcome.value() == 0;
}

/// Whether the keyboard says that it sends set 2, and it arrives so.
bool sends_set_2() {
    constexpr u8 which = 0;
    constexpr u8 two = 2;
    if (!tell(Port::keyboard, ToDevice::scancode_set, two) ||
        !tell(Port::keyboard, ToDevice::scancode_set, which)) {
        return false;
    }
    auto const said = receive_any(Port::keyboard);
    return said && said.value() == two;
}

Result<void> open_keyboard(Ps2Devices& devices, ScancodeSet wanted) {
    constexpr u8 num_light = 2;
    TRY(reset(Port::keyboard));
    devices.set = ScancodeSet::two;
    if (wanted == ScancodeSet::one || !sends_set_2()) {
        devices.set = ScancodeSet::one;
        // What it sends by itself, which the controller translates.
        devices.command_byte |= ps2::command_byte::translated;
        TRY(write_command_byte(devices.command_byte));
        Ps2Controller::flush();
    }
    TRY(tell(Port::keyboard, ToDevice::lights, num_light));
    return tell(Port::keyboard, ToDevice::start);
}

Result<void> open_mouse(Ps2Devices& devices) {
    constexpr u8 knock[] = {200, 100, 80};
    constexpr u8 with_wheel = 3;
    TRY(reset(Port::mouse));
    for (u8 const rate : knock) {
        TRY(tell(Port::mouse, ToDevice::rate, rate));
    }
    TRY(tell(Port::mouse, ToDevice::identify));
    devices.wheel = TRY(receive_any(Port::mouse)) == with_wheel ? MouseDecoder::Wheel::present
                                                                : MouseDecoder::Wheel::absent;
    return tell(Port::mouse, ToDevice::start);
}

} // namespace

Result<Ps2Devices> open_ps2_devices(ScancodeSet wanted) {
    Ps2Devices devices;
    bool const has_mouse_port = TRY(open_controller(devices));
    if (passes(Command::test_keyboard)) {
        TRY(Ps2Controller::command(Command::keyboard_on));
        devices.command_byte =
            static_cast<u8>(devices.command_byte & ~ps2::command_byte::keyboard_off);
        devices.has_keyboard = open_keyboard(devices, wanted).has_value();
    }
    if (has_mouse_port && passes(Command::test_mouse)) {
        TRY(Ps2Controller::command(Command::mouse_on));
        devices.has_mouse = open_mouse(devices).has_value();
    }
    using namespace ps2::command_byte;
    u8 const off = static_cast<u8>(
        (devices.has_keyboard ? 0 : keyboard_off) | (devices.has_mouse ? 0 : mouse_off));
    u8 const kept = static_cast<u8>(devices.command_byte & ~(keyboard_off | mouse_off));
    devices.command_byte = kept | off;
    TRY(write_command_byte(devices.command_byte));
    if (!devices.has_keyboard && !devices.has_mouse) {
        return Error::not_found;
    }
    return devices;
}

void close_ps2_devices() {
    static_cast<void>(Ps2Controller::command(Command::keyboard_off));
    static_cast<void>(Ps2Controller::command(Command::mouse_off));
    Ps2Controller::flush();
}

} // namespace twofold::device
