// The display of the emulator's machine: none, a window of the emulator's own, or its last frame as
// a file.
//
// A frame has to be taken while the machine still is. So where one is wanted the machine has no
// debug-exit device, with which the emulator would be gone at once, and stays where it powers off;
// the launcher takes the frame when the machine has powered off, or has halted behind the kernel's
// exit record, and ends the emulator. The status is the record's.
#pragma once

#include "core/base/base.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofold::launch {

class Monitor;
enum class Machine : u8;

struct EmulatorDisplay {
    enum class Kind : u8 {
        none, ///< a display that nobody sees
        png,  ///< the last frame becomes a file
        gtk,  ///< windows of the emulator
        sdl,
    };
    Kind kind = Kind::none;
    std::filesystem::path file{}; ///< of `png`
};

/// Takes `none`, `png:FILE`, `gtk` or `sdl`. The answer is what is wrong; empty: nothing.
std::string take_emulator_display(std::string const& text, std::optional<EmulatorDisplay>& display);

/// Throws Failure: 69 where the emulator has no such window, 74 where the file cannot be written.
void check_emulator_display(EmulatorDisplay const& display, std::filesystem::path const& emulator);

/// The emulator's word for where its windows are.
char const* emulator_window(std::optional<EmulatorDisplay> const& display);

/// Whether one of the machine's processors has halted for good: with interrupts off. Behind an exit
/// record that is the end where a machine cannot power off; all that it had to say is said then.
bool has_halted(Monitor& monitor, u32 cpus);

/// Has the emulator write what the machine's display shows to the file, whole. Throws Failure (74).
void take_screenshot(Monitor& monitor, std::filesystem::path const& file);

} // namespace twofold::launch
