// What the machine says about a kernel that it cannot go on with: where it stood, with names. Every
// function here is safe in a signal handler: no allocation, no lock, and memory is read only where
// it can be.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/image.hpp"
#include "hal/hosted/mmu.hpp"

#include <optional>
#include <ucontext.h>

namespace hosted {

/// Where execution stands.
struct ExecutionPoint {
    u64 instruction = 0;
    u64 frame_pointer = 0;
};

/// Reads words that may not exist: simulated memory by the kernel's tables, all else by asking the
/// host first.
struct WordReader {
    Mmu* mmu = nullptr; ///< null: no machine
    PhysAddr root{};

    /// The word at `address`, nothing if it cannot be read.
    std::optional<u64> operator()(u64 address) const;
};

/// The point that a signal interrupted.
ExecutionPoint interrupted_point(ucontext_t const& context);
/// The point at which a context that is switched out will continue; `stack_pointer` is what the
/// switch saved.
std::optional<ExecutionPoint> suspended_point(WordReader const& read, u64 stack_pointer);

/// Writes one line for each frame from `point` up, innermost first, at most backtrace_frames_max.
inline constexpr usize backtrace_frames_max = 48;
void write_backtrace(
    Output const& out, Image const& image, WordReader const& read, ExecutionPoint point);

/// The name of a signal that a fault raises, "signal" for any other.
std::string_view signal_name(int signal);

} // namespace hosted
