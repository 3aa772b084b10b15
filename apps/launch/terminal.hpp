// The launcher's terminal in raw mode: every key goes to the guest at once, ctrl-C included.
#pragma once

#include <termios.h>

#include <optional>

namespace twofold::launch {

/// Raw input for as long as this lives; the terminal is as it was afterwards. Output processing
/// stays on, so that a bare newline still begins a line.
class RawTerminal {
public:
    /// Does nothing if `descriptor` is no terminal.
    explicit RawTerminal(int descriptor) : m_descriptor(descriptor) {
        termios present{};
        if (tcgetattr(descriptor, &present) != 0) {
            return;
        }
        m_before = present;
        tcflag_t const output = present.c_oflag;
        cfmakeraw(&present);
        present.c_oflag = output;
        tcsetattr(descriptor, TCSADRAIN, &present);
    }
    ~RawTerminal() {
        if (m_before) {
            tcsetattr(m_descriptor, TCSADRAIN, &*m_before);
        }
    }
    RawTerminal(RawTerminal const&) = delete;
    RawTerminal& operator=(RawTerminal const&) = delete;

private:
    int m_descriptor;
    std::optional<termios> m_before;
};

} // namespace twofold::launch
