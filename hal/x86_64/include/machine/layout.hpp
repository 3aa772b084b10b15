// The metal machine: where things lie. Constants; only the image's own place is a parameter of the
// run.
#pragma once

#include "hal/layout.hpp"

namespace hal {

struct Layout {
    /// Physical memory: 32 TiB from the first address of the upper half.
    static constexpr Window linear{{0xffff'8000'0000'0000}, {u64{32} << 40}};
    static constexpr Window stacks{{0xffff'c000'0000'0000}, {u64{512} << 30}};
    static constexpr Window views{{0xffff'd000'0000'0000}, {u64{512} << 30}};
    /// The heap ends with its top-level table slot (0x4400'0000'0000 to 0x4480'0000'0000).
    static constexpr Window heap{{0x4444'4444'0000}, {0x3bbb'bc'0000}};
    /// Where the image may be placed, and where it is by default: 2 MiB-aligned.
    static constexpr Window image{{0xffff'e000'0000'0000}, {0x1fff'ffe0'0000}};
    static constexpr VirtAddr default_image_base{0xffff'ffff'8000'0000};

    static constexpr KernelLayout current() { return {linear, heap, stacks, views}; }
};
static_assert(Layout::image.contains(Layout::default_image_base));
static_assert((Layout::heap.base.value + Layout::heap.size.value) % (u64{512} << 30) == 0);

} // namespace hal
