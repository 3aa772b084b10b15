// Writes a frame as a PNG file (ISO/IEC 15948), by libpng.
#pragma once

#include "apps/display/frame.hpp"

#include <filesystem>

namespace twofold::display {

/// Writes the frame to a file beside `path`, which then takes its place: nobody sees half a file.
/// 8 bits for each of red, green and blue. A frame without pixels is one black one. Throws Failure
/// (74). O(pixels).
void write_png(std::filesystem::path const& path, Frame const& frame);

} // namespace twofold::display
