// Ps2: the driver of a PC's keyboard controller (i8042) with a keyboard and a mouse behind it.
//
// The handlers of both lines only move bytes from the controller into a ring; where that is full
// what comes is dropped, which is counted, and its place noted. The second half decodes, keeps the
// keyboard's lights as the locks are, and calls who listens. It runs on one processor at a time.
//
// Lines are edges: one that gets lost leaves a byte in the controller that nobody fetches, and no
// other comes. Hardware loses none; `poll` fetches it, and `inject` does so by itself.
//
// Invariant: all state but that of the second half is under the lock; so is each sequence of bytes
// to the controller. The second half's own belongs to who has set `m_is_working`.
//
// Neighbours: ps2_devices.hpp opens the devices; keyboard.hpp and mouse.hpp decode. Sources: see
// there.
#pragma once

#include "core/device/input/keyboard.hpp"
#include "core/device/input/ps2_devices.hpp"
#include "core/device/ring/ring_queue.hpp"
#include "core/processor/processor.hpp"

#include <optional>
#include <span>

namespace twofold::device {

struct Ps2Options {
    /// Where the interrupts of the keyboard and of the mouse arrive (ISA 1 and 12).
    hal::LineInput keyboard_line{.line = {1}};
    hal::LineInput mouse_line{.line = {12}};
    ScancodeSet set = ScancodeSet::two; ///< wanted; see open_ps2_devices
    Layout const* layout = nullptr;     ///< null: us
};

/// What has happened since it was opened.
struct Ps2Counts {
    u64 interrupts = 0;
    u64 bytes = 0;     ///< taken from the controller
    u64 overflows = 0; ///< of these, dropped: the second half did not come to them
    u64 unknown = 0;   ///< scan codes that belong to no key
    u64 resyncs = 0;   ///< sequences of either device that were broken off
    u64 losses = 0;    ///< times that the keyboard has said that it lost something
};

class Ps2 {
public:
    /// In context work, on one processor at a time. May not set listeners.
    using KeyListener = void (*)(void* context, KeyEvent const& event);
    using MouseListener = void (*)(void* context, MouseEvent const& event);

    /// Bytes that wait for the second half.
    static constexpr usize ring_entries = 512;

    /// Takes over the controller. Context thread; there are interrupts. One at a time. Errors:
    /// those of open_ps2_devices (a machine without such a controller answers not_found at once),
    /// out_of_memory, those of Interrupts::bind_line.
    static Result<Ps2*> open(DriverEnvironment const& environment, Ps2Options const& options = {});
    Ps2(Ps2 const&) = delete;
    Ps2& operator=(Ps2 const&) = delete;

    /// Silences the devices and ends the driver; no other context uses it. Context thread.
    void close();

    /// Who is told of keys and of the mouse; null: nobody. When it returns the one before is called
    /// no more. Context thread.
    void set_key_listener(KeyListener listener, void* context);
    void set_mouse_listener(MouseListener listener, void* context);
    /// From the next key on; `layout` lives as long. Context thread.
    void set_layout(Layout const& layout);

    /// Has the controller itself say that the keyboard, or the mouse, has sent these bytes, one by
    /// one, each when the one before has been taken; those of the keyboard are of `set()`. Context
    /// thread or work, no lock held, interrupts on. Errors: timed_out (the controller does not take
    /// or show them).
    Result<void>
    inject(std::span<u8 const> bytes, Ps2Controller::Port from = Ps2Controller::Port::keyboard);
    /// Looks whether a byte waits in the controller. Context thread or work, no lock held.
    void poll();

    Layout const& layout();
    ScancodeSet set() const { return m_devices.set; }
    bool has_keyboard() const { return m_devices.has_keyboard; }
    bool has_mouse() const { return m_devices.has_mouse; }
    bool has_wheel() const { return m_devices.wheel == MouseDecoder::Wheel::present; }
    Ps2Counts counts();

private:
    /// A byte that has come, or that from here on some are missing.
    struct Entry {
        enum class Kind : u8 { keyboard, mouse, gap } kind{};
        u8 byte = 0;
    };
    template<class Listener>
    struct Listening {
        Listener listener = nullptr;
        void* context = nullptr;
    };
    /// The command that sets the keyboard's lights, of two bytes, each acknowledged.
    struct Lights {
        static constexpr u8 unknown = 0xff;

        enum class State : u8 { idle, told_command, told_lights } state = State::idle;
        u8 shown = 0; ///< or on the way
        u32 repeats = 0;
    };

    Ps2(DriverEnvironment const& environment, Ps2Options const& options, Ps2Devices const& devices);
    ~Ps2() = default;

    Result<void> begin(Ps2Options const& options);
    Result<hal::Vector> bind(hal::LineInput const& input, std::string_view name);
    void end();
    bool fetch() REQUIRES(m_lock);
    void keep(Ps2Controller::Received const& received) REQUIRES(m_lock);
    bool put_in(ps2::Command command, u8 byte);
    template<class IsDone>
    Result<void> wait_until_taken(IsDone const& is_done);
    bool begin_work();
    std::optional<Entry> next_entry();
    void take(Entry const& entry);
    void take_scancode(u8 byte);
    bool take_answer(u8 byte);
    void tell_lights();
    void show_lights();
    void send(u8 byte);
    void note_counts();
    void emit(KeyEvent const& event);
    void emit(MouseEvent const& event);
    void wait_for_work();
    static processor::Handling take_interrupt(void* self, hal::Interruption const& interruption);
    static void work(void* self);

    DriverEnvironment m_environment;
    Ps2Devices m_devices;
    std::optional<hal::Vector> m_keyboard_vector;
    std::optional<hal::Vector> m_mouse_vector;

    sync::SpinLock m_lock{sync::LockRank::device};
    Ring<Entry, ring_entries> m_ring GUARDED_BY(m_lock);
    bool m_is_working GUARDED_BY(m_lock) = false;
    Listening<KeyListener> m_keys GUARDED_BY(m_lock);
    Listening<MouseListener> m_mouse_moves GUARDED_BY(m_lock);
    Layout const* m_layout GUARDED_BY(m_lock);
    Ps2Counts m_counts GUARDED_BY(m_lock);

    // Of the second half.
    Keyboard m_keyboard;
    MouseDecoder m_mouse;
    Lights m_lights;
};

} // namespace twofold::device
