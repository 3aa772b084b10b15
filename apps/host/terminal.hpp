// The terminal in raw mode, and its way back however the program ends.
//
// Invariant: once `restore_terminal` has run, or the process has ended by exit, a fatal signal, a
// crash or a sanitizer's verdict, the terminal is as it was. While the process is stopped (ctrl-Z
// from outside) it is, too. SIGKILL alone cannot be answered.
#pragma once

namespace twofold::host {

/// Raw input from `descriptor`, if it is a terminal: every key reaches the kernel at once, ctrl-C
/// included. Output processing stays on. Call once.
void make_terminal_raw(int descriptor);

/// Makes the terminal what it was. Signal-safe; does nothing where nothing is to be done.
void restore_terminal();

} // namespace twofold::host
