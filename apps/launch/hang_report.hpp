// What a machine that hangs is doing: registers and symbolised backtraces of all its processors,
// read through the emulator's monitor while the machine stands still.
#pragma once

#include "apps/launch/elf_file.hpp"
#include "apps/launch/journal.hpp"
#include "apps/launch/monitor.hpp"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::launch {

/// Longest backtrace; what is deeper is a loop or damage.
inline constexpr unsigned frames_max = 64;

/// The value of register `name` ("RIP") in the text of `info registers`; nothing if absent. O(n).
std::optional<u64> find_register(std::string_view text, std::string_view name);

/// The two words in the text of `x /2gx`; nothing if the memory could not be read. O(n).
std::optional<std::array<u64, 2>> find_words(std::string_view text);

/// Two words of the guest's memory at a virtual address, if they can be read.
using ReadPair = std::function<std::optional<std::array<u64, 2>>(u64 address)>;

/// The instructions of a frame-pointer chain, innermost first. Each frame must lie above the one
/// before, aligned to 8. At most frames_max.
std::vector<u64> walk_frames(u64 instruction, u64 frame_pointer, ReadPair const& read);

/// One line for each frame: number, address, function as far as `functions` (linked at
/// link_base(), running at `image_base`) knows it. A caller's function is that of its call.
std::string describe_frames(
    std::vector<u64> const& instructions, FunctionTable const& functions, u64 image_base);

/// The whole report. Stops the machine; does not continue it. Ends by `deadline`.
std::string report_hang(
    Monitor& monitor,
    Journal const& journal,
    FunctionTable const& functions,
    unsigned cpus,
    Clock::time_point deadline);

} // namespace twofold::launch
