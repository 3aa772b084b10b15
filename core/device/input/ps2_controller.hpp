// The keyboard controller of a PC (i8042) by looking at it: one byte to it, one byte from it. What
// opens the devices behind it uses this while the controller raises no interrupts
// (ps2_devices.hpp); later on the driver (ps2.hpp) sends by it, under its lock.
//
// Nothing here waits longer than it says, whatever the hardware does; where there is no clock, a
// look at a port counts for a microsecond, which it takes on such a bus.
//
// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
// Controller"; OSDev wiki, "8042 PS/2 Controller", for the order of initialisation.
#pragma once

#include "core/base/base.hpp"
#include "hal/io.hpp"

#include <optional>

namespace twofold::device {

namespace ps2 {

inline constexpr u16 data_port = 0x60, command_port = 0x64;

/// Of the status, which is read at the command port.
namespace status {
inline constexpr u8 output_full = 0x01, input_full = 0x02, of_mouse = 0x20, nobody = 0xff;
} // namespace status

/// Of the command byte.
namespace command_byte {
inline constexpr u8 keyboard_interrupt = 0x01, mouse_interrupt = 0x02, keyboard_off = 0x10,
                    mouse_off = 0x20, translated = 0x40;
} // namespace command_byte

enum class Command : u8 {
    read_command_byte = 0x20,
    write_command_byte = 0x60,
    mouse_off = 0xa7,
    mouse_on = 0xa8,
    test_mouse = 0xa9,
    test_itself = 0xaa,
    test_keyboard = 0xab,
    keyboard_off = 0xad,
    keyboard_on = 0xae,
    write_keyboard_output = 0xd2,
    write_mouse_output = 0xd3,
    write_mouse = 0xd4,
};

/// What devices answer.
inline constexpr u8 acknowledged = 0xfa, again = 0xfe, passed = 0xaa, failed = 0xfc;

} // namespace ps2

/// How long somebody waits.
class Patience {
public:
    explicit Patience(Nanos limit);
    /// Whether it is over; to be asked after each look. Lets others go on. O(1).
    bool is_over();

private:
    Nanos m_end{};
    u64 m_looks_left;
    bool m_has_clock;
};

class Ps2Controller {
public:
    enum class Port : u8 { keyboard, mouse };
    struct Received {
        u8 byte = 0;
        Port from{};
    };

    static u8 status() { return hal::Io::read_port_8(ps2::command_port); }
    /// Whether anybody answers at the ports at all. O(1).
    static bool is_there() { return status() != ps2::status::nobody; }
    /// What waits in the output buffer. Any context; O(1).
    static std::optional<Received> look() {
        u8 const status = Ps2Controller::status();
        if ((status & ps2::status::output_full) == 0 || status == ps2::status::nobody) {
            return std::nullopt;
        }
        return Received{
            hal::Io::read_port_8(ps2::data_port),
            (status & ps2::status::of_mouse) != 0 ? Port::mouse : Port::keyboard};
    }
    /// The same, but waits for it. Errors: timed_out.
    static Result<Received> receive(Nanos limit);

    /// Each waits until the controller has taken what came before, 20 ms at most. Errors:
    /// timed_out.
    static Result<void> command(ps2::Command command);
    static Result<void> command(ps2::Command command, u8 parameter);
    static Result<void> send(Port port, u8 byte);
    /// The answer to a command. Errors: timed_out.
    static Result<u8> ask(ps2::Command command, Nanos limit);
    /// Takes what waits in the output buffer, so much at most.
    static void flush();
    /// The same as `command` and `send`, for who holds a lock: waits a few looks. False: the
    /// controller is busy, and nothing of it has been sent, or half of it.
    static bool try_command(ps2::Command command, u8 parameter);
    static bool try_send(u8 byte);
};

} // namespace twofold::device
