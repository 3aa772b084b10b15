// Commands of the screen and of its keyboard.
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::shell {

/// Lists the themes, or has the screen drawn in another one.
u8 use_theme(boot::CommandContext& context);
/// Lists the layouts of keyboards, or chooses one.
u8 use_layout(boot::CommandContext& context);

} // namespace twofold::shell
