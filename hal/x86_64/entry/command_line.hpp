// The one option of the command line that must be known before the kernel runs: where it runs.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace metal {

using namespace twofold;

/// Where an image may be placed.
struct Placement {
    VirtAddr otherwise; ///< without the option
    VirtAddr lowest;
    Bytes room;
};

/// The option `image_base=NUMBER` of a command line (the last one counts), or where the image is to
/// run without it. `scratch` is as long as `line`. Errors: invalid_argument (not a number, or not a
/// multiple of 2 MiB), out_of_range (`image_size` bytes from there leave the room). Pure;
/// O(length).
Result<VirtAddr>
image_base(std::string_view line, std::span<char> scratch, Bytes image_size, Placement placement);

} // namespace metal
