// See console.hpp.
#include "apps/host/console.hpp"

#include "apps/host/terminal.hpp"
#include "apps/host/watchdog.hpp"
#include "apps/launch/status.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace twofold::host {

using launch::Failure;
using launch::Status;

namespace {

constexpr usize input_bytes = 65536;
constexpr int look_again_ms = 50;
constexpr std::string_view key_help = "\r\nctrl-A x   end the machine\r\nctrl-A h   this help\r\n"
                                      "ctrl-A ctrl-A   send ctrl-A to the kernel\r\n";

[[noreturn]] void fail_output() {
    if (errno == EPIPE) {
        throw Failure(Status::io, "nobody reads standard output any more; the machine was ended");
    }
    throw Failure(
        Status::io, fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

/// Waits until `descriptor` is ready, or a signal arrives.
bool wait_for(int descriptor, short events, int timeout_ms) {
    pollfd polled{descriptor, events, 0};
    return poll(&polled, 1, timeout_ms) > 0;
}

} // namespace

HostConsole::HostConsole(InputKind kind, std::string text, launch::ResultsFile* results)
    : m_kind(kind),
      m_input(std::move(text)),
      m_ended(kind == InputKind::none || kind == InputKind::text),
      m_results(results) {}

void HostConsole::write(std::string_view text) {
    std::lock_guard const lock(m_mutex);
    print(text);
}

void HostConsole::print(std::string_view text) {
    while (!text.empty()) {
        ssize_t const written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written >= 0) {
            note_shown(text.substr(0, static_cast<usize>(written)));
            text.remove_prefix(static_cast<usize>(written));
        } else if (errno == EAGAIN) {
            // The signal that ends a wait reaches the first thread alone.
            wait_for(STDOUT_FILENO, POLLOUT, look_again_ms);
        } else if (errno != EINTR) {
            fail_output();
        }
        if (Watchdog::expired()) {
            return; // nobody takes it in time; the run ends now
        }
    }
}

hal::ConsoleInput HostConsole::read() {
    std::lock_guard const lock(m_mutex);
    if (m_next == m_input.size() && m_kind == InputKind::terminal) {
        m_input = take_size_report();
        m_next = 0;
    }
    if (m_next == m_input.size() && !m_ended && wait_for(STDIN_FILENO, POLLIN, 0)) {
        take_input();
    }
    m_asked = m_next == m_input.size();
    if (!m_asked) {
        return {hal::InputStatus::byte, m_input[m_next++]};
    }
    m_told_end = m_ended;
    m_is_new = !m_ended;
    m_question.notify_one();
    return {m_ended ? hal::InputStatus::end : hal::InputStatus::none, '\0'};
}

void HostConsole::write_result(std::span<std::byte const> bytes) {
    std::lock_guard const lock(m_mutex);
    auto const take = [this](launch::Record const& record) { take_record(record); };
    m_decoder.feed(bytes, take);
    m_decoder.finish(take); // records come whole: what looks like the start of one is none
}

void HostConsole::take_record(launch::Record const& record) {
    m_journal.note(record);
    if (m_results != nullptr) {
        m_results->write(record);
    }
}

bool HostConsole::is_awaited() const {
    std::lock_guard const lock(m_mutex);
    return m_asked && !m_ended;
}

bool HostConsole::wait_for_question() {
    std::unique_lock lock(m_mutex);
    m_question.wait(lock, [this] { return m_is_new || m_questions_ended; });
    m_is_new = false;
    return !m_questions_ended;
}

void HostConsole::end_questions() {
    std::lock_guard const lock(m_mutex);
    m_questions_ended = true;
    m_question.notify_one();
}

bool HostConsole::told_end() const {
    std::lock_guard const lock(m_mutex);
    return m_told_end;
}

bool HostConsole::quit() const {
    std::lock_guard const lock(m_mutex);
    return m_quit;
}

void HostConsole::take_input() {
    std::array<char, input_bytes> chunk;
    // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): there is input, it does not wait
    ssize_t const got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
        throw Failure(
            Status::io, fmt::format("cannot read standard input: {}", std::strerror(errno)));
    }
    if (got < 0) {
        return;
    }
    m_input.clear();
    m_next = 0;
    m_ended = got == 0;
    std::string_view const bytes(chunk.data(), static_cast<usize>(got));
    if (m_kind == InputKind::terminal) {
        take_keys(bytes);
    } else {
        m_input = bytes;
    }
}

void HostConsole::take_keys(std::string_view keys) {
    launch::KeyFilter::Wishes const wishes = m_keys.feed(keys, m_input);
    m_quit = m_quit || wishes.quit;
    if (wishes.help) {
        print(key_help);
    }
}

} // namespace twofold::host
