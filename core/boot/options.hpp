// The kernel command line: `key=value` words, values quoted where they hold blanks. Pure.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace twofold::boot {

enum class ConsoleMode : u8 {
    interactive, ///< a person types: prompt and echo
    pipe,        ///< a program sends lines: neither
};

/// Whether what is printed and typed goes to a display and its keyboard, too.
enum class DisplayUse : u8 {
    found, ///< where boot loader or firmware has left a screen
    on,    ///< where there is any, which is looked for
    off,
};

/// What the command line asks for.
struct Options {
    static constexpr usize command_line_max = 4096;
    static constexpr usize command_max = 2048;

    FixedString<command_max> command; ///< commands to run before powering off; may be empty
    bool has_command = false;
    bool json = false;
    u32 cpus = 0; ///< the most processors to run; 0: as many as there are
    ConsoleMode console = ConsoleMode::interactive;
    bool has_shell = true; ///< false: lines go to the plain reader, whatever the image has
    DisplayUse display = DisplayUse::found;
    FixedString<32> layout;   ///< of the keyboard; empty: the first there is
    FixedString<32> theme;    ///< of the screen; the same
    FixedString<64> nonce;    ///< printed before anything else, so that a reader can find the start
    FixedString<128> problem; ///< the first thing wrong with the command line; empty if none

    /// Reads a command line. Never fails: what is wrong is named in `problem` and otherwise
    /// ignored. Keys that others read (image_base, virtio_mmio.device) are passed over. O(n).
    static Options parse(std::string_view command_line);
};

} // namespace twofold::boot
