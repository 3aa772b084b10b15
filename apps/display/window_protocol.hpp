// What a machine's program and its window program (twofold-window) say to each other: a frame in
// memory that both share, and messages on a socket. docs/display-host.md has the tables.
//
// The memory is an area of the program's that the window maps; its lock is held for copies alone,
// and is robust: who dies with it leaves it to the other. The window believes nothing in there: a
// size beyond what the area holds is none.
#pragma once

#include "apps/display/frame.hpp"

#include <cstddef>
#include <pthread.h>
#include <type_traits>

namespace twofold::display {

/// Where the window program finds the two.
inline constexpr int window_socket_descriptor = 3;
inline constexpr int window_memory_descriptor = 4;

inline constexpr u32 window_version = 1;
inline constexpr u32 frame_side_max = 8192;

struct SharedFrame {
    static constexpr u32 signature_value = 0x4657'4632; ///< "2FWF"

    u32 signature = signature_value;
    u32 version = window_version;
    pthread_mutex_t mutex{}; ///< guards all below, and the pixels
    FrameSize size{};
    FrameArea damage{}; ///< what the window has not taken yet
};
inline constexpr usize shared_pixels_at = 4096;
static_assert(sizeof(SharedFrame) <= shared_pixels_at && std::is_standard_layout_v<SharedFrame>);
inline constexpr usize shared_bytes =
    shared_pixels_at + usize{frame_side_max} * frame_side_max * sizeof(u32);

struct WindowMessage {
    enum class Kind : u32 {
        frame = 1,  ///< to the window: there is damage
        ready = 2,  ///< from it: it is there
        failed = 3, ///< it cannot be; `text` says why
        key = 4,    ///< usage of HID's keyboard page, 1 where it is pressed
        mouse = 5,  ///< motion to the right and down, wheel away from the person, buttons
        size = 6,   ///< the person has given it this size
        closed = 7, ///< the person has closed it
    };
    static constexpr usize text_bytes = 104;

    Kind kind{};
    i32 values[4] = {};
    u32 reserved = 0;
    char text[text_bytes] = {}; ///< ends with a zero
};
static_assert(sizeof(WindowMessage) == 128 && std::is_trivially_copyable_v<WindowMessage>);

/// Bits of the buttons.
inline constexpr u8 left_button = 1, right_button = 2, middle_button = 4;

} // namespace twofold::display
