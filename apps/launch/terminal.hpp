// The launcher's terminal in raw mode: every key goes to the guest at once, ctrl-C included.
#pragma once

#include "apps/launch/screen_modes.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <optional>

namespace twofold::launch {

/// Raw input for as long as this lives; the terminal is as it was afterwards. Output processing
/// stays on, so that a bare newline still begins a line.
class RawTerminal {
public:
    /// Does nothing if `descriptor` is no terminal. What is shown on it goes to `output`.
    RawTerminal(int descriptor, int output) : m_descriptor(descriptor), m_output(output) {
        termios present{};
        if (tcgetattr(descriptor, &present) != 0) {
            return;
        }
        m_before = present;
        tcflag_t const processing = present.c_oflag;
        cfmakeraw(&present);
        present.c_oflag = processing;
        tcsetattr(descriptor, TCSADRAIN, &present);
    }
    ~RawTerminal() { restore(); }
    RawTerminal(RawTerminal const&) = delete;
    RawTerminal& operator=(RawTerminal const&) = delete;

    /// What has been written to the output. O(n).
    void note_shown(std::string_view text) {
        if (m_before) {
            m_modes.feed(text);
        }
    }

    /// Whether whoever writes there wants to be told the terminal's size, and whether it began to
    /// since this was asked.
    bool reports_size() const { return m_modes.reports_size(); }
    bool take_size_request() { return m_modes.take_size_request(); }

    /// The terminal is as it was, and what is said from now on is seen. Does nothing a second time.
    void restore() {
        if (!m_before) {
            return;
        }
        if (isatty(m_output) == 1) {
            show(m_modes.undo().view());
        }
        tcsetattr(m_descriptor, TCSADRAIN, &*m_before);
        m_before.reset();
    }

private:
    /// A terminal that takes nothing for so long is not waited for.
    static constexpr int show_patience_ms = 500;

    void show(std::string_view text) const {
        pollfd ready{m_output, POLLOUT, 0};
        while (!text.empty() && poll(&ready, 1, show_patience_ms) > 0) {
            ssize_t const written = write(m_output, text.data(), text.size());
            if (written <= 0) {
                return;
            }
            text.remove_prefix(static_cast<usize>(written));
        }
    }

    int m_descriptor;
    int m_output;
    std::optional<termios> m_before;
    ScreenModes m_modes;
};

} // namespace twofold::launch
