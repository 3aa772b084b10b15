// The commands of the shell itself: variables, jobs, time, and the filters of pipes.
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::shell {

boot::CommandTable shell_commands();
/// Declared for help, completion and the documents; pipelines run them (filters.hpp).
boot::CommandTable filter_commands();

} // namespace twofold::shell
