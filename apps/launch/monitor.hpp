// The emulator's machine protocol (QMP): one JSON object a line. Used to learn why a machine ended,
// and to look into one that hangs. Source: QEMU's "QMP protocol specification".
#pragma once

#include "apps/launch/emulator.hpp"
#include "core/base/base.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace twofold::launch {

using Clock = std::chrono::steady_clock;

class Monitor {
public:
    /// Who lets the machine run: this monitor, so that no event of its life is missed, or a
    /// debugger.
    enum class Start : u8 { by_monitor, by_debugger };

    /// Talks over `emulator`'s monitor channel, which must outlive this.
    Monitor(Emulator const& emulator, Start start);

    /// Takes what has arrived, without waiting. False once the channel is closed.
    bool receive();

    /// Why the machine ended at first, in the protocol's word ("guest-reset"); empty while unknown.
    std::string const& end_reason() const { return m_end_reason; }

    /// Stops all processors of the machine. False if the emulator did not answer by `deadline`.
    bool stop(Clock::time_point deadline);

    /// The answer of the human monitor's `command`, as processor `cpu` sees it; nothing if there
    /// was none by `deadline`.
    std::optional<std::string>
    ask(std::string_view command, unsigned cpu, Clock::time_point deadline);

    /// The raw JSON of what a request returns; nothing if it was refused, or not answered by
    /// `deadline`.
    std::optional<std::string> execute(std::string_view request, Clock::time_point deadline);
    /// Why the latest request was refused; empty where none was.
    std::string const& last_error() const { return m_error; }
    /// Ends the emulator, soon.
    void quit() { send(R"({"execute":"quit"})"); }

private:
    bool send(std::string_view line);
    void take_line(std::string_view line);

    int m_descriptor;
    std::string m_received;
    std::optional<std::string> m_answer; ///< raw JSON of the latest return value
    std::string m_error;
    unsigned m_answers = 0; ///< answers and errors so far
    unsigned m_requests = 0;
    std::string m_end_reason;
};

} // namespace twofold::launch
