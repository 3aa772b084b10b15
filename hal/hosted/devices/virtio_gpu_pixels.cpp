// How pixels go from the kernel's memory into a resource, and from there to the sink. See
// virtio_gpu.hpp.
#include "hal/hosted/devices/virtio_gpu.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

using gpu::Answer;

namespace {

/// Reads a backing, of which the entries lie one behind the other, in pieces whose offsets grow.
class BackingReader {
public:
    BackingReader(DeviceBus& bus, std::span<gpu::BackingEntry const> entries)
        : m_bus(bus), m_entries(entries) {}

    /// False: it does not reach so far, or the device cannot read it any more. `offset` is not
    /// less than before. O(bytes + entries passed).
    bool read(u64 offset, std::span<u8> to) {
        while (!to.empty()) {
            while (!m_entries.empty() && offset - m_begin >= m_entries.front().bytes) {
                m_begin += m_entries.front().bytes;
                m_entries = m_entries.subspan(1);
            }
            if (m_entries.empty()) {
                return false;
            }
            u64 const inside = offset - m_begin;
            u64 const taken = std::min<u64>(m_entries.front().bytes - inside, to.size());
            DmaAddress const from{m_entries.front().address + inside};
            if (!m_bus.read(from, std::as_writable_bytes(to.first(taken)))) {
                return false;
            }
            to = to.subspan(taken);
            offset += taken;
        }
        return true;
    }

private:
    DeviceBus& m_bus;
    std::span<gpu::BackingEntry const> m_entries; ///< that of `m_begin` and those behind it
    u64 m_begin = 0;
};

u64 backing_bytes(std::span<gpu::BackingEntry const> entries) {
    u64 bytes = 0;
    for (gpu::BackingEntry const& each : entries) {
        bytes += each.bytes;
    }
    return bytes;
}

void convert(std::span<u8 const> from, gpu::PixelFormat format, std::span<u32> to) {
    for (usize i = 0; i < to.size(); ++i) {
        u8 const* const pixel = &from[i * sizeof(u32)];
        to[i] =
            u32{pixel[format.red]} << 16 | u32{pixel[format.green]} << 8 | u32{pixel[format.blue]};
    }
}

} // namespace

/// Rows of a backing are as far apart as those of its resource; `offset` is that of the first
/// pixel.
Answer VirtioGpu::transfer(DeviceBus& bus, gpu::Transfer const& wanted) {
    Resource* const resource = find(wanted.resource);
    if (resource == nullptr) {
        return Answer::invalid_resource;
    }
    FrameSize const size = resource->size;
    gpu::Rectangle const& area = wanted.area;
    if (area.width > size.width || area.x > size.width - area.width || area.height > size.height ||
        area.y > size.height - area.height) {
        return Answer::invalid_parameter;
    }
    if (resource->backing.empty()) {
        return Answer::unspecified;
    }
    if (area.width == 0 || area.height == 0) {
        return Answer::ok;
    }
    u64 const stride = u64{size.width} * sizeof(u32);
    u64 const row_bytes = u64{area.width} * sizeof(u32);
    u64 const bytes = (area.height - 1) * stride + row_bytes;
    u64 const held = backing_bytes(resource->backing);
    if (wanted.offset > held || bytes > held - wanted.offset) {
        return Answer::invalid_parameter;
    }
    BackingReader backing(bus, resource->backing);
    for (u32 row = 0; row < area.height; ++row) {
        u64 const at = (u64{area.y} + row) * stride + u64{area.x} * sizeof(u32);
        if (!backing.read(
                wanted.offset + row * stride, std::span(resource->pixels).subspan(at, row_bytes))) {
            return Answer::unspecified; // the device is no bus master any more
        }
    }
    return Answer::ok;
}

/// Hands `area` of the scanout, which is on, to the sink.
void VirtioGpu::show(FrameArea const& area) {
    Resource const& resource = *find(m_scanout.resource);
    gpu::PixelFormat format;
    CHECK(gpu::find_format(resource.format, format));
    std::vector<u32> pixels(u64{area.width} * area.height);
    for (u32 row = 0; row < area.height; ++row) {
        u64 const at = ((u64{m_scanout.area.y} + area.y + row) * resource.size.width +
                        m_scanout.area.x + area.x) *
                       sizeof(u32);
        convert(
            std::span(resource.pixels).subspan(at, u64{area.width} * sizeof(u32)), format,
            std::span(pixels).subspan(u64{row} * area.width, area.width));
    }
    m_sink.present(area, pixels, area.width);
}

} // namespace hosted
