// An interrupt at every edge of the control flow: kernel code is compiled so that each edge calls a
// hook, and the hook raises an interrupt on the processor that it runs on. For the hosted machine,
// in the preset `edges` alone.
#pragma once

#include "core/boot/boot.hpp"

#include <span>

namespace twofold::test {

/// `edges PLACE [LIMIT] [TIMES]`: runs each test whose source lies in tests/PLACE with an interrupt
/// at every edge, then, where it takes no more than LIMIT edges, once for each of them with an
/// interrupt there alone; what the kernel shares is looked over after each run. With TIMES an edge
/// that a test takes more often is interrupted the first TIMES times, and then now and again.
std::span<boot::Command const> edge_commands();

} // namespace twofold::test
