// The machine's program, as its window knows it: a socket and a frame in shared memory.
#pragma once

#include "apps/display/shared_memory.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace twofold::window {

using display::FrameArea;
using display::FrameSize;
using display::WindowMessage;

/// For the main thread, but for `wait`.
class Parent {
public:
    /// Of the two descriptors that a window is started with. The error is a line.
    static std::expected<Parent, std::string> connect();

    /// Never waits: who does not read is told nothing.
    void tell(WindowMessage const& message) const;
    void fail(std::string_view why) const;

    /// Waits for a message; false: the parent has gone. On a thread of its own.
    bool wait() const;

    enum class Damage : u8 { none, taken, locked };

    /// Takes the damage, if there is some: calls take(size, area, pixels) with the pixels of the
    /// whole frame, under the lock, unless that was not to be had.
    template<class Take>
    Damage take_damage(Take const& take) {
        if (!m_memory.lock(patience)) {
            return Damage::locked;
        }
        display::SharedFrame& frame = m_memory.frame();
        FrameSize const size = frame.size;
        FrameArea const area = frame.damage;
        frame.damage = {};
        bool const is_sound = is_possible(size) && area.width != 0 && area.height != 0 &&
                              area.x <= size.width && area.width <= size.width - area.x &&
                              area.y <= size.height && area.height <= size.height - area.y;
        if (is_sound) {
            take(size, area, m_memory.pixels().first(u64{size.width} * size.height));
        }
        m_memory.unlock();
        return is_sound ? Damage::taken : Damage::none;
    }
    FrameSize first_size() const { return m_memory.frame().size; }
    static bool is_possible(FrameSize size) {
        return size.width >= 1 && size.width <= display::frame_side_max && size.height >= 1 &&
               size.height <= display::frame_side_max;
    }

private:
    static constexpr std::chrono::milliseconds patience{100};

    Parent(launch::Descriptor socket, display::SharedMemory memory)
        : m_socket(std::move(socket)), m_memory(std::move(memory)) {}

    launch::Descriptor m_socket;
    display::SharedMemory m_memory;
};

} // namespace twofold::window
