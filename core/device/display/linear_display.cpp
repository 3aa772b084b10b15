// See linear_display.hpp.
#include "core/device/display/linear_display.hpp"

#include "hal/io.hpp"
#include "hal/memory.hpp"

#include <new>

namespace twofold::device {

Result<PixelFormat> PixelFormat::of(hal::Framebuffer const& framebuffer) {
    u8 const bits = framebuffer.bits_per_pixel;
    auto const fits = [bits](Channel channel) {
        return channel.bits >= 1 && channel.bits <= 8 && channel.shift + channel.bits <= bits;
    };
    Channel const red{framebuffer.red_shift, framebuffer.red_bits};
    Channel const green{framebuffer.green_shift, framebuffer.green_bits};
    Channel const blue{framebuffer.blue_shift, framebuffer.blue_bits};
    if ((bits != 16 && bits != 24 && bits != 32) || !fits(red) || !fits(green) || !fits(blue)) {
        return Error::not_supported;
    }
    return PixelFormat(bits / 8u, red, green, blue);
}

Result<LinearDisplay*> LinearDisplay::open(
    memory::KernelSpace& space, memory::KernelHeap& heap, hal::Framebuffer const& framebuffer) {
    PixelFormat const format = TRY(PixelFormat::of(framebuffer));
    if (framebuffer.pitch < u64{framebuffer.width} * format.bytes()) {
        return Error::corrupted;
    }
    PixelMemory pixels = TRY(PixelMemory::create(heap, {framebuffer.width, framebuffer.height}));
    Bytes const size{u64{framebuffer.pitch} * framebuffer.height};
    auto const view = space.map_device(framebuffer.base, size, hal::CacheMode::write_combining);
    if (!view) {
        pixels.free(heap);
        return view.error();
    }
    auto const room = memory::allocate_room<LinearDisplay>(heap, 1);
    if (!room) {
        space.unmap_device(view.value()).value(); // it was mapped just now
        pixels.free(heap);
        return room.error();
    }
    return new (room.value()) LinearDisplay(space, heap, framebuffer, format, pixels, view.value());
}

Result<void> LinearDisplay::present(text::Rectangle const& area) {
    text::Rectangle const seen = seen_of(area, mode());
    for (u32 row = 0; row < seen.height; ++row) {
        u64 const y = static_cast<u64>(seen.y) + row;
        u64 const x = static_cast<u64>(seen.x);
        copy_row(
            m_view + Bytes{y * m_pitch + x * m_format.bytes()},
            m_pixels.pixels().subspan(y * stride() + x, seen.width));
    }
    if (!seen.empty()) {
        hal::Memory::device_write_barrier(); // what was combined leaves
        ++m_counts.presents;
        m_counts.pixels += u64{seen.width} * seen.height;
    }
    return {};
}

/// Byte by byte where a pixel has three of them, since it is nowhere aligned.
void LinearDisplay::copy_row(VirtAddr to, std::span<u32 const> from) const {
    switch (m_format.bytes()) {
    case 4:
        for (usize i = 0; i < from.size(); ++i) {
            u32 const pixel = m_format.is_identity() ? from[i] : m_format.convert(from[i]);
            hal::Io::write_32(to + Bytes{i * 4}, pixel);
        }
        return;
    case 3:
        for (usize i = 0; i < from.size(); ++i) {
            u32 const pixel = m_format.convert(from[i]);
            hal::Io::write_8(to + Bytes{i * 3}, static_cast<u8>(pixel));
            hal::Io::write_8(to + Bytes{i * 3 + 1}, static_cast<u8>(pixel >> 8));
            hal::Io::write_8(to + Bytes{i * 3 + 2}, static_cast<u8>(pixel >> 16));
        }
        return;
    default:
        for (usize i = 0; i < from.size(); ++i) {
            hal::Io::write_16(to + Bytes{i * 2}, static_cast<u16>(m_format.convert(from[i])));
        }
    }
}

void LinearDisplay::close() {
    m_space.unmap_device(m_view).value(); // `open` has mapped it
    memory::KernelHeap& heap = m_heap;
    m_pixels.free(heap);
    this->~LinearDisplay();
    memory::free_room(heap, this);
}

} // namespace twofold::device
