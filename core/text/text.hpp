// text: text on a screen, for every machine alike. A terminal's bytes become cells of a screen.
// Pure: no machine, no clock, no locks; memory comes from an allocator that is handed in. Whoever
// shares a screen between contexts guards it.
//
// docs/text.md tells what is understood and why.
#pragma once

#include "core/text/cell.hpp"
#include "core/text/font.hpp"
#include "core/text/pixel_kernels.hpp"
#include "core/text/screen.hpp"
#include "core/text/screen_memory.hpp"
#include "core/text/surface.hpp"
#include "core/text/terminal.hpp"
#include "core/text/text_view.hpp"
#include "core/text/theme.hpp"
#include "core/text/utf8_decoder.hpp"
#include "core/text/width.hpp"
