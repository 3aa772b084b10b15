// Where the frames of a display go: a window, a file, nothing.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace hosted {

using namespace twofold;

struct FrameSize {
    u32 width = 0;
    u32 height = 0;
    bool operator==(FrameSize const&) const = default;
};

/// A rectangle of a frame, in pixels.
struct FrameArea {
    u32 x = 0;
    u32 y = 0;
    u32 width = 0;
    u32 height = 0;
    bool operator==(FrameArea const&) const = default;
};

/// Called on the thread of whichever processor asks its display for something, one call at a time;
/// the kernel waits meanwhile.
class FrameSink {
public:
    virtual ~FrameSink() = default;
    /// Frames have another size from here on, and are black until something is presented.
    virtual void resize(FrameSize size) = 0;
    /// What lies in `area`, which is not empty and inside of the frame, has changed: 0x00RRGGBB
    /// words, rows `stride` words apart. `pixels` begins with the area's first and is valid during
    /// the call.
    virtual void present(FrameArea const& area, std::span<u32 const> pixels, u32 stride) = 0;
};

} // namespace hosted
