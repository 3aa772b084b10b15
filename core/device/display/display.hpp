// What a display is to the rooms above: pixels in ordinary memory, and rectangles of them that are
// brought to a screen. An injected seam: which display a machine has is known when it runs, and one
// call a rectangle costs nothing beside the rectangle.
//
// The pixels are the caller's to draw on between two calls; nothing is seen before it is presented.
// A display whose size is not its own (a window that somebody resizes) never changes under its
// user: it says that it wants another mode, and the user takes that when it can.
//
// docs/display.md follows a rectangle from a surface to a screen.
#pragma once

#include "core/text/text.hpp"

#include <span>
#include <string_view>

namespace twofold::device {

/// Each side is 1 to text::Surface::side_max.
struct DisplayMode {
    u32 width = 0;
    u32 height = 0;
    constexpr bool operator==(DisplayMode const&) const = default;
};

/// What has happened on a display.
struct DisplayCounts {
    u64 presents = 0; ///< that reached the device
    u64 pixels = 0;   ///< in them
    u64 errors = 0;   ///< presents and modes that failed
};

/// Context thread, interrupts on, one thread at a time, where nothing else is said.
class Display {
public:
    /// Told in context work, or by whoever sets the listener, that wants_mode may have become true.
    using ChangeListener = void (*)(void* context);

    Display(Display const&) = delete;
    Display& operator=(Display const&) = delete;

    virtual DisplayMode mode() const = 0;
    /// 0x00RRGGBB words, rows `stride()` words apart; black at first. Valid until adopt_mode.
    virtual std::span<u32> pixels() = 0;
    virtual u32 stride() const = 0;

    /// Brings what lies in `area` and in the mode to the screen, at once and not in parts. When it
    /// returns the device has them, so the pixels may change again. Errors: those of the device
    /// (io_failed, timed_out), after which the display may be of no more use. O(pixels).
    virtual Result<void> present(text::Rectangle const& area) = 0;

    /// The same in a panic, where no other call may ever come to its end: takes no lock that may be
    /// held, waits for no interrupt, and for the device a second at most. Any context, interrupts
    /// off. Errors: those of the device; not_supported; invalid_state (what it needs is in use).
    virtual Result<void> present_in_panic(text::Rectangle const& area) {
        static_cast<void>(area);
        return Error::not_supported;
    }

    /// Whether the display would rather have another mode. Any context; O(1).
    virtual bool wants_mode() const = 0;
    /// Takes the mode that is wanted: other pixels, black, all to be drawn anew. Without one that
    /// is wanted nothing changes. Errors: out_of_memory (mode and pixels are what they were); those
    /// of the device. O(pixels).
    virtual Result<void> adopt_mode() = 0;

    virtual std::string_view name() const = 0; ///< "virtio-gpu", "framebuffer"; lives for ever
    virtual DisplayCounts counts() const = 0;

    /// One listener; null for none. When it returns the one before is not running any more. A mode
    /// that is wanted already is told at once.
    virtual void set_change_listener(ChangeListener listener, void* context) = 0;

    /// Lets go of the device and ends the display, pixels and all. No other call is running.
    virtual void close() = 0;

protected:
    Display() = default;
    ~Display() = default;
};

/// The pixels as a surface to draw on. Errors: none where the display keeps its promises. O(1).
inline Result<text::Surface>
surface_of(Display& display, text::PixelKernels const& kernels = text::reference_pixel_kernels()) {
    DisplayMode const mode = display.mode();
    return text::Surface::create(
        display.pixels(), mode.width, mode.height, display.stride(), kernels);
}

} // namespace twofold::device
