// Code page 437, the characters that a PC's text screen has. Pure.
//
// Source: Unicode Consortium, VENDORS/MICSFT/PC/CP437.TXT; for 0x01 to 0x1f and 0x7f,
// VENDORS/MISC/IBMGRAPH.TXT.
#pragma once

#include "core/base/base.hpp"

namespace twofold::device {

/// The character of a code point; '?' for what the page has not, a blank for none. O(log n).
u8 code_page_437(u32 point);

} // namespace twofold::device
