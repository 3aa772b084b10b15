// The framebuffer that firmware or boot loader has left: pixels in memory of a graphics controller,
// that its screen shows all the time. Drawn on is a shadow in ordinary memory, since a framebuffer
// is slow to read; a present copies a rectangle, converted to the screen's pixels.
//
// The framebuffer is mapped write-combining: writes that follow each other leave as bursts.
#pragma once

#include "core/device/display/pixel_memory.hpp"
#include "hal/boot.hpp"

namespace twofold::device {

/// How 0x00RRGGBB becomes a pixel of a framebuffer. Pure.
class PixelFormat {
public:
    /// Errors: not_supported (not 16, 24 or 32 bits, or channels that do not lie in them or have
    /// more than 8). O(1).
    static Result<PixelFormat> of(hal::Framebuffer const& framebuffer);

    u32 bytes() const { return m_bytes; }
    /// The word of a pixel as it is, in 32 bits.
    bool is_identity() const { return m_is_identity; }
    /// The upper bits of each channel, each in its place. O(1).
    constexpr u32 convert(u32 rgb) const {
        return m_red.place(rgb >> 16) | m_green.place(rgb >> 8) | m_blue.place(rgb);
    }

private:
    struct Channel {
        u8 shift = 0;
        u8 bits = 0;

        constexpr u32 place(u32 value) const { return (value & 0xff) >> (8 - bits) << shift; }
        constexpr bool operator==(Channel const&) const = default;
    };

    PixelFormat(u32 bytes, Channel red, Channel green, Channel blue)
        : m_bytes(bytes),
          m_is_identity(
              bytes == 4 && red == Channel{16, 8} && green == Channel{8, 8} &&
              blue == Channel{0, 8}),
          m_red(red),
          m_green(green),
          m_blue(blue) {}

    u32 m_bytes;
    bool m_is_identity;
    Channel m_red;
    Channel m_green;
    Channel m_blue;
};

class LinearDisplay final : public Display {
public:
    /// In memory of the heap, until it is closed. Context thread. Errors: not_supported (those of
    /// PixelFormat), corrupted (lines that are shorter than their pixels), out_of_range (a side of
    /// 0, or above text::Surface::side_max), out_of_memory, no_space.
    static Result<LinearDisplay*>
    open(memory::KernelSpace& space, memory::KernelHeap& heap, hal::Framebuffer const& framebuffer);

    DisplayMode mode() const override { return m_pixels.mode(); }
    std::span<u32> pixels() override { return m_pixels.pixels(); }
    u32 stride() const override { return m_pixels.mode().width; }
    Result<void> present(text::Rectangle const& area) override;
    /// A copy needs nobody.
    Result<void> present_in_panic(text::Rectangle const& area) override { return present(area); }
    bool wants_mode() const override { return false; }
    Result<void> adopt_mode() override { return {}; }
    std::string_view name() const override { return "framebuffer"; }
    DisplayCounts counts() const override { return m_counts; }
    void set_change_listener(ChangeListener, void*) override {} // it never changes
    void close() override;

private:
    LinearDisplay(
        memory::KernelSpace& space,
        memory::KernelHeap& heap,
        hal::Framebuffer const& framebuffer,
        PixelFormat format,
        PixelMemory pixels,
        VirtAddr view)
        : m_space(space),
          m_heap(heap),
          m_format(format),
          m_pitch(framebuffer.pitch),
          m_pixels(pixels),
          m_view(view) {}
    ~LinearDisplay() = default;

    void copy_row(VirtAddr to, std::span<u32 const> from) const;

    memory::KernelSpace& m_space;
    memory::KernelHeap& m_heap;
    PixelFormat m_format;
    u32 m_pitch;
    PixelMemory m_pixels;
    VirtAddr m_view;
    DisplayCounts m_counts;
};

} // namespace twofold::device
