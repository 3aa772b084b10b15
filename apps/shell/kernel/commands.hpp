// The commands of the shell itself: variables, jobs, time, and the filters of pipes.
#pragma once

#include "core/boot/boot.hpp"

#include <span>

namespace twofold::shell {

std::span<boot::Command const> shell_commands();
/// Declared for help, completion and the documents; pipelines run them (filters.hpp).
std::span<boot::Command const> filter_commands();

} // namespace twofold::shell
