// The executors of the kernel: they begin when a task is first to be run, since a boot that runs
// none should not wait for them.
#pragma once

#include "core/async/async.hpp"
#include "core/boot/command.hpp"

#include <span>

namespace twofold::boot {

/// The executors; begun by the first call. Context thread; one context at a time asks for the first
/// time. Errors: not_supported (there are no threads); those of Executors::open.
Result<async::Executors*> executors(Kernel& kernel);

/// They end, if they have begun; the next call of `executors` begins them again. No task runs, and
/// nobody wakes one. Context thread.
void close_executors(Kernel& kernel);

/// The command `async`.
CommandTable async_commands();

} // namespace twofold::boot
