// The command line of the start: what a boot loader wrapped around it, and the one option that must
// be known before the kernel runs: where it runs.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace metal {

using namespace twofold;

/// Writes `line` to `out` as it was before GRUB wrote it: GRUB puts an argument with blanks between
/// double quotes, and a backslash before each quote and backslash in it. The answer lies in `out`,
/// which must be as long as `line`. A line that does not begin with a double quote and holds no
/// such pair is copied as it is. Pure; O(length). Source: GRUB 2.06, grub-core/lib/cmdline.c (its
/// behaviour).
std::string_view without_grub_quotes(std::string_view line, std::span<char> out);

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
