// Loops of context switches, compiled as kernel code; sched.cpp times them.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace twofold::bench {

/// How a loop switches.
enum class SwitchKind : u8 {
    live, ///< what is live alone, inline: hal::Context where nothing watches the stacks
    full, ///< all callee-saved registers, out of line
    /// The same between owners of extended registers, which are saved and restored.
    registers,
    control, ///< the same, where they have called and keep the control words alone
};

/// Prepares the context that such a loop switches to, on `stack`, once for each kind. The extended
/// registers that are enabled are in use on both sides.
void prepare_switches(SwitchKind kind, std::span<std::byte> stack);

/// Goes there and back `rounds` times: two switches each. Returns how often the other side has run
/// since it was prepared.
u64 run_switches(SwitchKind kind, u64 rounds);

} // namespace twofold::bench
