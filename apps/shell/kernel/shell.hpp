// The shell of an image: what reads and runs lines in place of the kernel's plain reader. An image
// names it in its composition.
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::shell {

/// Needs threads; a machine without any keeps the plain reader.
extern boot::LineRunner const line_runner;

} // namespace twofold::shell
