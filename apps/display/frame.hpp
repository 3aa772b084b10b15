// A frame in memory, as sinks keep it: 0x00RRGGBB words, rows without gaps.
#pragma once

#include "hal/hosted/devices/frame_sink.hpp"

#include <algorithm>
#include <vector>

namespace twofold::display {

using hosted::FrameArea;
using hosted::FrameSize;

/// The smallest area that holds both; one without pixels holds nothing. O(1).
inline FrameArea united(FrameArea const& first, FrameArea const& second) {
    if (first.width == 0 || first.height == 0) {
        return second;
    }
    if (second.width == 0 || second.height == 0) {
        return first;
    }
    u32 const x = std::min(first.x, second.x);
    u32 const y = std::min(first.y, second.y);
    return {
        x, y, std::max(first.x + first.width, second.x + second.width) - x,
        std::max(first.y + first.height, second.y + second.height) - y};
}

/// Not for several threads at a time.
class Frame {
public:
    explicit Frame(FrameSize size = {}) { resize(size); }

    FrameSize size() const { return m_size; }
    std::span<u32 const> pixels() const { return m_pixels; }
    std::span<u32 const> row(u32 y) const {
        return pixels().subspan(u64{y} * m_size.width, m_size.width);
    }
    FrameArea whole() const { return {0, 0, m_size.width, m_size.height}; }

    /// Black, of another size. O(pixels).
    void resize(FrameSize size) {
        m_size = size;
        m_pixels.assign(u64{size.width} * size.height, 0);
    }
    /// As FrameSink::present. O(pixels of the area).
    void take(FrameArea const& area, std::span<u32 const> pixels, u32 stride) {
        CHECK(area.x <= m_size.width && area.width <= m_size.width - area.x);
        CHECK(area.y <= m_size.height && area.height <= m_size.height - area.y);
        for (u32 row = 0; row < area.height; ++row) {
            auto const from = pixels.subspan(u64{row} * stride, area.width);
            std::ranges::copy(
                from,
                m_pixels.begin() + static_cast<i64>(u64{area.y + row} * m_size.width + area.x));
        }
    }

private:
    FrameSize m_size{};
    std::vector<u32> m_pixels;
};

/// A sink that keeps the last frame and shows nothing.
class FrameKeeper final : public hosted::FrameSink {
public:
    explicit FrameKeeper(FrameSize size) : m_frame(size) {}
    Frame const& frame() const { return m_frame; }

    void resize(FrameSize size) override { m_frame.resize(size); }
    void present(FrameArea const& area, std::span<u32 const> pixels, u32 stride) override {
        m_frame.take(area, pixels, stride);
    }

private:
    Frame m_frame;
};

} // namespace twofold::display
