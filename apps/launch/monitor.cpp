// A client of the emulator's machine protocol. See monitor.hpp.
#include "apps/launch/monitor.hpp"

#include "apps/launch/json_text.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace twofold::launch {

namespace {

constexpr usize line_bytes_max = usize{4} << 20;

} // namespace

Monitor::Monitor(Emulator const& emulator, Start start) : m_descriptor(emulator.monitor.number()) {
    send(R"({"execute":"qmp_capabilities"})"); // events are sent from here on
    if (start == Start::by_monitor) {
        send(R"({"execute":"cont"})");
    }
}

bool Monitor::send(std::string_view line) {
    std::string const text = std::string(line) + "\n";
    // A request is far smaller than the channel's buffer, which the emulator empties.
    ssize_t const sent = ::send(m_descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    ++m_requests;
    return sent == static_cast<ssize_t>(text.size());
}

void Monitor::take_line(std::string_view line) {
    if (auto const answer = json_member(line, "return")) {
        m_answer = std::string(*answer);
        ++m_answers;
    } else if (auto const error = json_member(line, "error")) {
        auto const why = json_member(*error, "desc");
        m_error = why ? json_string(*why).value_or("") : "";
        m_answer.reset();
        ++m_answers;
    } else if (auto const event = json_member(line, "event"); event == R"("SHUTDOWN")") {
        auto const data = json_member(line, "data");
        auto const reason = data ? json_member(*data, "reason") : std::nullopt;
        if (m_end_reason.empty()) { // what is done to a machine that has ended is none of its own
            m_end_reason = reason ? json_string(*reason).value_or("") : "";
        }
    }
}

bool Monitor::receive() {
    char chunk[65536];
    while (true) {
        ssize_t const got = recv(m_descriptor, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        m_received.append(chunk, static_cast<usize>(got));
        usize start = 0;
        for (usize end = 0; (end = m_received.find('\n', start)) != std::string::npos;
             start = end + 1) {
            take_line(std::string_view(m_received).substr(start, end - start));
        }
        m_received.erase(0, start);
        if (m_received.size() > line_bytes_max) {
            return false;
        }
    }
}

std::optional<std::string> Monitor::execute(std::string_view request, Clock::time_point deadline) {
    m_error.clear();
    if (!send(request)) {
        return std::nullopt;
    }
    while (m_answers < m_requests) {
        auto const left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return std::nullopt;
        }
        pollfd entry{m_descriptor, POLLIN, 0};
        poll(&entry, 1, static_cast<int>(left.count()));
        if (entry.revents != 0 && !receive() && m_answers < m_requests) {
            return std::nullopt;
        }
    }
    return m_answer;
}

bool Monitor::stop(Clock::time_point deadline) {
    return execute(R"({"execute":"stop"})", deadline).has_value();
}

std::optional<std::string>
Monitor::ask(std::string_view command, unsigned cpu, Clock::time_point deadline) {
    std::string quoted_command;
    append_json_string(quoted_command, command);
    auto const raw = execute(
        R"({"execute":"human-monitor-command","arguments":{"command-line":)" + quoted_command +
            R"(,"cpu-index":)" + std::to_string(cpu) + "}}",
        deadline);
    auto text = raw ? json_string(*raw) : std::nullopt;
    if (text) {
        std::erase(*text, '\r');
    }
    return text;
}

} // namespace twofold::launch
