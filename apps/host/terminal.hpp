// The terminal in raw mode, and its way back however the program ends.
//
// Invariant: once `restore_terminal` has run, or the process has ended by exit, a fatal signal, a
// crash or a sanitizer's verdict, the terminal is as it was, and so is what the kernel asked of it
// along with its text (screen_modes.hpp). While the process is stopped (ctrl-Z from outside) it is,
// too. SIGKILL alone cannot be answered.
#pragma once

#include <string>
#include <string_view>

namespace twofold::host {

/// Raw input from `descriptor`, if it is a terminal: every key reaches the kernel at once, ctrl-C
/// included. Output processing stays on. Call once.
void make_terminal_raw(int descriptor);

/// What was written to standard output, which may be that terminal. One thread at a time; O(n).
void note_shown(std::string_view text);

/// Makes the terminal what it was. Signal-safe; does nothing where nothing is to be done.
void restore_terminal();

/// Readable once the terminal's size may have changed, until that is asked; -1: there is no raw
/// terminal.
int terminal_resize_event();
/// The terminal's size as it reports it, where the kernel has asked for that and was not told yet;
/// else empty. Not while another thread is in `note_shown`.
std::string take_size_report();

} // namespace twofold::host
