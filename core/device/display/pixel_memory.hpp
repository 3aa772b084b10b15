// The pixels of a mode in memory of the kernel's heap: whole pages, without gaps between rows,
// black at first. Of one owner, which gives them back.
#pragma once

#include "core/device/display/display.hpp"
#include "core/memory/memory.hpp"
#include "hal/memory.hpp"

#include <bit>
#include <span>

namespace twofold::device {

class PixelMemory {
public:
    PixelMemory() = default;
    /// Errors: out_of_range (a side of 0, or above text::Surface::side_max), out_of_memory.
    /// O(pixels).
    static Result<PixelMemory> create(memory::KernelHeap& heap, DisplayMode mode) {
        u32 const most = text::Surface::side_max;
        if (mode.width == 0 || mode.height == 0 || mode.width > most || mode.height > most) {
            return Error::out_of_range;
        }
        usize const count = usize{mode.width} * mode.height;
        Bytes const size = align_up(Bytes{count * sizeof(u32)}, page_size);
        std::byte* const block = TRY(heap.allocate(size, page_size));
        hal::Memory::zero_pages(block, size);
        return PixelMemory({room_for<u32>(block), count}, size, mode);
    }
    /// Gives them back. Nothing happens where there are none.
    void free(memory::KernelHeap& heap) {
        if (!m_pixels.empty()) {
            memory::free_room(heap, m_pixels.data());
            *this = {};
        }
    }

    DisplayMode mode() const { return m_mode; }
    std::span<u32> pixels() const { return m_pixels; }
    /// All of the pages.
    VirtAddr base() const { return {std::bit_cast<u64>(m_pixels.data())}; }
    Bytes size() const { return m_size; }

private:
    PixelMemory(std::span<u32> pixels, Bytes size, DisplayMode mode)
        : m_pixels(pixels), m_size(size), m_mode(mode) {}

    std::span<u32> m_pixels;
    Bytes m_size{};
    DisplayMode m_mode;
};

/// What of `area` lies in the mode.
inline text::Rectangle seen_of(text::Rectangle const& area, DisplayMode mode) {
    return text::intersection({0, 0, mode.width, mode.height}, area);
}

} // namespace twofold::device
