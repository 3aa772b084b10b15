// The keyboard controller of the hosted machine, an i8042, with a keyboard and a mouse with a wheel
// behind it, as a driver of a PC finds them at ports 0x60 and 0x64.
//
// One byte at a time waits in the output buffer: the controller's own answers first, then what the
// keyboard and the mouse have to say. Taking it lets the next one in. While it waits, the line of
// its device is asserted where the kernel wants that; lines are edges, so between two bytes a line
// falls (the board drives the lines as `keyboard_line` and `mouse_line` say, before and behind
// `advance`).
//
// What people do, keys and movements, waits in queues of its own until the devices have room for
// it: never a part of a stroke, and when a queue is full, what comes last is dropped and counted.
// Repeats are for whoever feeds it: a key that goes down again is sent again.
//
// Left out: the time that bytes take on the wire, scan code set 3, the mouse's remote and wrap
// modes, the test port's clock lines, and the machine's reset by the output port.
//
// Invariant: plain copyable data. Nothing happens but in calls, which come one at a time.
//
// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
// Controller"; Microsoft, "IntelliMouse", for the wheel.
#pragma once

#include "core/device/input/keys.hpp"

#include <array>
#include <optional>
#include <type_traits>
#include <utility>

namespace hosted {

using namespace twofold;

/// A queue of plain data.
template<class T, u32 capacity>
class PlainQueue {
public:
    u32 size() const { return m_size; }
    u32 room() const { return capacity - m_size; }
    bool empty() const { return m_size == 0; }
    T& front() { return m_items[m_first]; }
    /// False, and nothing is added, where it is full.
    bool push(T const& item) {
        if (m_size == capacity) {
            return false;
        }
        m_items[(m_first + m_size++) % capacity] = item;
        return true;
    }
    T pop() {
        CHECK(m_size > 0);
        T const item = m_items[m_first];
        m_first = (m_first + 1) % capacity;
        --m_size;
        return item;
    }
    void clear() { m_first = m_size = 0; }

private:
    std::array<T, capacity> m_items{};
    u32 m_first = 0;
    u32 m_size = 0;
};

/// What people do with a keyboard or a mouse.
struct KeyStroke {
    device::Key key{};
    bool pressed = false;
};
struct MouseMotion {
    i32 dx = 0;    ///< to the right
    i32 dy = 0;    ///< downwards
    i32 wheel = 0; ///< towards whoever holds it
    u8 buttons = 0;
};

class I8042 {
public:
    static constexpr u16 data_port = 0x60;
    static constexpr u16 command_port = 0x64;
    static constexpr u32 keyboard_line_number = 1;
    static constexpr u32 mouse_line_number = 12;
    static constexpr u32 waiting_max = 256; ///< strokes, and motions

    static constexpr bool is_port(u16 port) { return port == data_port || port == command_port; }

    /// An access of the kernel's to one of the ports. O(1).
    u8 read(u16 port);
    void write(u16 port, u8 value);
    /// Whether the lines are asserted.
    bool keyboard_line() const;
    bool mouse_line() const;
    /// Lets the next byte into the output buffer, if that is empty. O(bytes of a stroke).
    void advance();

    /// Somebody has hit a key or moved the mouse; `advance` has it sent. False: it was dropped. A
    /// movement longer than a packet holds becomes several. O(1).
    bool add(KeyStroke const& stroke);
    bool add(MouseMotion const& motion);
    /// Strokes and motions that were dropped since power-on.
    u64 dropped() const { return m_dropped; }

private:
    /// Whose byte waits in the output buffer.
    enum class Origin : u8 { none, controller, keyboard, mouse };
    /// What the next byte to the data port is for.
    enum class Expects : u8 {
        keyboard_byte,
        memory_byte,
        output_port,
        output_of_keyboard,
        output_of_mouse,
        mouse_byte,
    };
    static constexpr u32 buffer_bytes = 16; ///< of a device
    static constexpr u32 memory_bytes = 32;
    /// Translating, its self-test passed, both ports off: as firmware leaves it that needs neither.
    static constexpr u8 command_byte_at_first = 0x74;
    using Buffer = PlainQueue<u8, buffer_bytes>;

    /// What both have in common. Answers to commands go before all else, and may come within a
    /// stroke.
    struct Link {
        Buffer answers;
        Buffer out;
        u8 parameter_of = 0; ///< the command that waits for its parameter; 0: none
        u8 last = 0;         ///< that was sent, for the command to repeat it

        bool has_byte() const { return !answers.empty() || !out.empty(); }
    };
    struct Keyboard {
        Link link;
        device::ScancodeSet set = device::ScancodeSet::two;
        bool scans = true;
        u8 lights = 0;
    };
    struct Mouse {
        static constexpr u32 knocks = 3;

        Link link;
        bool reports = false;
        bool has_wheel = false;   ///< the kernel has knocked for it
        bool doubles = false;     ///< scaling, which changes nothing in stream mode here
        u8 rates[knocks] = {100}; ///< packets a second, the latest first
        u8 resolution = 2;        ///< as the command has it
        u8 buttons = 0;
    };

    u8 status() const;
    bool wants(u8 command_bit) const { return (m_memory[0] & command_bit) != 0; }
    void set(u8 command_bit, bool is_set);
    void take_command(u8 command);
    void take_data(u8 value);
    void reset_controller();
    /// The controller's answers are taken before it is asked more, or lost.
    void answer(u8 value) { m_answers.push(value); }
    void let_in(Origin origin, u8 value);
    bool let_in_keyboard();

    // i8042_devices.cpp
    void take_keyboard_command(u8 value);
    void take_keyboard_parameter(u8 value);
    void take_mouse_command(u8 value);
    void take_mouse_parameter(u8 value);
    void answer_mouse_status();
    void take_strokes();
    void take_motions();
    void send_packet(MouseMotion& motion);
    static u8 next_of(Link& link);

    std::array<u8, memory_bytes> m_memory = {command_byte_at_first};
    u8 m_memory_index = 0; ///< for Expects::memory_byte
    Expects m_expects = Expects::keyboard_byte;
    bool m_was_command = false; ///< the last write was one
    Origin m_origin = Origin::none;
    u8 m_output = 0;
    Buffer m_answers;                    ///< of the controller
    Origin m_injected_as = Origin::none; ///< what the kernel has put in as a device's
    u8 m_injected = 0;
    bool m_is_break = false; ///< 0xf0 has come, which is being translated
    Keyboard m_keyboard;
    Mouse m_mouse;
    PlainQueue<KeyStroke, waiting_max> m_strokes;
    PlainQueue<MouseMotion, waiting_max> m_motions;
    u64 m_dropped = 0;
};
static_assert(std::is_trivially_copyable_v<I8042>);

} // namespace hosted
