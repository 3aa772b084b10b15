// The command `commands`: everything that commands declare, as tables. The command pages of the
// documents are made of what it prints (tools/command_pages.py).
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::shell {

/// Three tables: commands, their arguments, their examples; of one command where it is named.
/// O(commands).
u8 show_registry(boot::CommandContext& context);

} // namespace twofold::shell
