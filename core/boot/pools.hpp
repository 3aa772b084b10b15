// The kernel's pools: the step of the start-up that makes them, and the command that shows them.
#pragma once

#include "core/boot/command.hpp"
#include "core/memory/pools/pools.hpp"

namespace twofold::boot {

/// What Kernel::pools leads to.
struct KernelPools {
    memory::ScratchBuffers scratch;
    memory::TensorPool tensors; ///< takes neither memory nor addresses until it is used
};

/// Reserves the scratch buffers and makes the tensor pool. A step of the start-up.
Result<void> open_pools(Kernel& kernel);

/// The command `pools`.
u8 show_pools(CommandContext& context);

} // namespace twofold::boot
