// The event loop of a run. See session.hpp.
#include "apps/launch/session.hpp"

#include "apps/launch/guest_console.hpp"
#include "apps/launch/hang_report.hpp"
#include "apps/launch/results_file.hpp"
#include "apps/launch/terminal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <memory>

namespace twofold::launch {

namespace {

using namespace std::chrono_literals;

/// The guest waits while this much of its output has not been taken. Plenty, because a kernel may
/// take a serial port for dead that does not send for long.
constexpr usize output_pending_max = usize{64} << 20;
/// A pipe that is ready takes at least this much without waiting (PIPE_BUF).
constexpr usize output_piece_bytes = 4096;
constexpr usize messages_bytes_max = usize{64} << 10;
constexpr usize held_back_shown_bytes = 1000;
/// How long the emulator may take to tell what a hanging machine does.
constexpr auto hang_report_time = 10s;

/// How long a machine may take from its exit record to its end, and when it is looked at again.
constexpr auto end_patience = 10s;
constexpr int look_again_ms = 20;

constexpr char const* key_help = "\r\nctrl-A x   end the machine\r\nctrl-A h   this help\r\n"
                                 "ctrl-A ctrl-A   send ctrl-A to the guest\r\n";

/// The signals `numbers` as something that can be read; they do nothing else any more.
Descriptor watch_signals(std::initializer_list<int> numbers) {
    sigset_t set;
    sigemptyset(&set);
    for (int const number : numbers) {
        sigaddset(&set, number);
    }
    sigprocmask(SIG_BLOCK, &set, nullptr);
    Descriptor watched(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!watched) {
        throw Failure(Status::io, fmt::format("cannot watch signals: {}", std::strerror(errno)));
    }
    return watched;
}

/// The next of them; nothing: none has come.
std::optional<int> take_watched(Descriptor const& watched) {
    signalfd_siginfo info{};
    ssize_t const got = read(watched.number(), &info, sizeof(info));
    return got == sizeof(info) ? std::optional(static_cast<int>(info.ssi_signo)) : std::nullopt;
}

class Session {
public:
    Session(SessionSetup const& setup, EndSignals& end_signals)
        : m_setup(setup),
          m_signals(end_signals),
          m_terminal(
              setup.input == InputKind::terminal ? STDIN_FILENO : -1, setup.output_descriptor),
          m_emulator(Emulator::start(setup.emulator, emulator_arguments(setup.plan))),
          m_monitor(
              m_emulator,
              setup.plan.gdb_device ? Monitor::Start::by_debugger : Monitor::Start::by_monitor),
          m_console(setup.nonce) {
        if (setup.results) {
            m_results.emplace(*setup.results);
        }
        if (setup.timeout_s) {
            m_deadline = Clock::now() + std::chrono::ceil<Clock::duration>(
                                            std::chrono::duration<double>(*setup.timeout_s));
        }
        if (setup.input == InputKind::text) {
            m_to_guest.append(setup.input_text + end_of_input);
        }
        m_reads_input = setup.input == InputKind::stream || setup.input == InputKind::terminal;
        if (setup.input == InputKind::terminal) {
            m_resizes = watch_signals({SIGWINCH});
        }
        m_open[resizes] = setup.input == InputKind::terminal;
    }

    int run() {
        while (!m_status && !drained()) {
            if (wait_for_work()) {
                serve();
                take_last_frame();
            } else {
                hang();
            }
        }
        return m_status ? *m_status : conclude();
    }

private:
    enum Channel : u8 {
        serial,
        results,
        monitor,
        messages,
        signals,
        resizes, ///< of a person's terminal
        input,
        output,
        channel_count
    };

    /// Whether the emulator has closed all its channels and all its output has been passed on.
    bool drained() const {
        return !m_open[serial] && !m_open[results] && !m_open[monitor] && !m_open[messages] &&
               m_output.empty();
    }

    short interest(Channel channel) const {
        switch (channel) {
        case serial: {
            bool const reads = m_output.size() < output_pending_max;
            bool const writes = !m_to_guest.empty() && m_console.open();
            return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
        }
        case input: {
            // A person's keys are always looked at: some are the launcher's.
            bool const wanted =
                m_setup.input == InputKind::terminal || (m_console.open() && m_to_guest.empty());
            return m_reads_input && wanted ? POLLIN : 0;
        }
        case output:
            return m_output.empty() ? 0 : POLLOUT;
        default:
            return POLLIN;
        }
    }

    int descriptor(Channel channel) const {
        switch (channel) {
        case serial:
            return m_emulator.serial.number();
        case results:
            return m_emulator.results.number();
        case monitor:
            return m_emulator.monitor.number();
        case messages:
            return m_emulator.messages.number();
        case signals:
            return m_signals.descriptor();
        case resizes:
            return m_resizes.number();
        case input:
            return STDIN_FILENO;
        default:
            return m_setup.output_descriptor;
        }
    }

    /// False if the time allowed has passed first.
    bool wait_for_work() {
        for (u8 index = 0; index < channel_count; ++index) {
            auto const channel = static_cast<Channel>(index);
            short const events = m_open[index] ? interest(channel) : short{0};
            m_polled[index] = {events != 0 ? descriptor(channel) : -1, events, 0};
        }
        int wait_ms = m_end_due && !m_is_over ? look_again_ms : -1;
        if (m_deadline) {
            auto const left =
                std::chrono::ceil<std::chrono::milliseconds>(*m_deadline - Clock::now());
            if (left.count() <= 0) {
                return false;
            }
            i64 const most = wait_ms < 0 ? std::numeric_limits<int>::max() : wait_ms;
            wait_ms = static_cast<int>(std::min<i64>(left.count(), most));
        }
        if (poll(m_polled.data(), m_polled.size(), wait_ms) < 0 && errno != EINTR) {
            throw Failure(
                Status::io, fmt::format("cannot wait for the machine: {}", std::strerror(errno)));
        }
        return true;
    }

    void serve() {
        auto const has = [&](Channel channel) { return m_polled[channel].revents != 0; };
        if (has(signals)) {
            take_signal();
        }
        if (has(serial)) {
            serve_serial(m_polled[serial].revents);
        }
        if (has(results)) {
            read_results();
        }
        if (has(monitor)) {
            m_open[monitor] = m_monitor.receive();
        }
        if (has(messages)) {
            read_messages();
        }
        if (has(resizes)) {
            while (take_watched(m_resizes)) {
            }
            report_size();
        }
        if (has(input)) {
            read_input();
        }
        if (has(output)) {
            write_output();
        }
    }

    /// What has arrived on a channel; closes the channel at its end.
    std::string_view receive(Channel channel) {
        ssize_t const got = recv(descriptor(channel), m_chunk.data(), m_chunk.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            m_open[channel] = false;
        }
        return {m_chunk.data(), got > 0 ? static_cast<usize>(got) : 0};
    }

    void serve_serial(short events) {
        if ((events & POLLOUT) != 0 && !m_to_guest.empty()) {
            ssize_t const sent = send(
                descriptor(serial), m_to_guest.front().data(), m_to_guest.size(), MSG_NOSIGNAL);
            if (sent > 0) {
                m_to_guest.consume(static_cast<usize>(sent));
            } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                m_to_guest.consume(m_to_guest.size()); // the machine has ended
            }
        }
        if ((events & ~POLLOUT) != 0) {
            m_console.feed(receive(serial), m_output);
        }
    }

    /// The size of a person's terminal goes to the guest, if that wants it.
    void report_size() {
        if (m_terminal.reports_size()) {
            m_to_guest.append(size_report(STDIN_FILENO));
        }
    }

    void read_results() {
        auto const note = [&](Record const& record) {
            m_journal.note(record);
            if (m_results) {
                m_results->write(record);
            }
        };
        m_decoder.feed(std::as_bytes(std::span(receive(results))), note);
        if (!m_open[results]) {
            m_decoder.finish(note);
        }
        if (m_results) {
            m_results->flush();
        }
    }

    /// The machine has come to its end, where that leaves it standing: see emulator_display.hpp.
    void take_last_frame() {
        auto const* const file = m_setup.plan.screenshot();
        if (file == nullptr || m_is_over || !m_open[monitor]) {
            return;
        }
        bool is_over = !m_monitor.end_reason().empty();
        if (!is_over && m_journal.exit_status) {
            m_end_due = m_end_due.value_or(Clock::now() + end_patience);
            is_over = has_halted(m_monitor, m_setup.plan.cpus) || Clock::now() > *m_end_due;
        }
        if (!is_over) {
            return;
        }
        m_is_over = true;
        take_screenshot(m_monitor, *file);
        m_monitor.quit();
    }

    /// How the emulator ended; where it was ended here, as its machine's debug-exit device would.
    ProcessEnd end_of_emulator() {
        ProcessEnd end = m_emulator.wait();
        if (m_is_over && !end.by_signal && end.number == 0 && m_journal.exit_status) {
            end.number = static_cast<int>(*m_journal.exit_status) << 1 | 1;
        }
        return end;
    }

    void read_messages() {
        std::string_view const text = receive(messages);
        if (!text.empty()) {
            spdlog::debug("emulator: {}", text.substr(0, text.find_last_not_of('\n') + 1));
        }
        m_said += text.substr(0, messages_bytes_max - m_said.size());
    }

    void read_input() {
        ssize_t const got = read(STDIN_FILENO, m_chunk.data(), m_chunk.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            return;
        }
        if (got <= 0) {
            m_reads_input = false;
            m_to_guest.append({&end_of_input, 1}); // a read error ends the input, too
            return;
        }
        std::string_view const bytes(m_chunk.data(), static_cast<usize>(got));
        if (m_setup.input != InputKind::terminal) {
            m_to_guest.append(bytes);
            return;
        }
        std::string typed;
        auto const wishes = m_keys.feed(bytes, typed);
        m_to_guest.append(typed);
        if (wishes.help) {
            m_output.append(key_help);
        }
        if (wishes.quit) {
            end_now(Status::interrupted);
            spdlog::info("ended from the keyboard");
        }
    }

    void write_output() {
        usize const piece = std::min(m_output.size(), output_piece_bytes);
        ssize_t const put = write(m_setup.output_descriptor, m_output.front().data(), piece);
        if (put >= 0) {
            m_terminal.note_shown(m_output.front().substr(0, static_cast<usize>(put)));
            m_output.consume(static_cast<usize>(put));
            if (m_terminal.take_size_request()) {
                report_size();
            }
        } else if (errno == EPIPE) {
            throw Failure(
                Status::io, "nobody reads standard output any more; the machine was ended");
        } else if (errno != EINTR && errno != EAGAIN) {
            throw Failure(
                Status::io,
                fmt::format("cannot write to standard output: {}", std::strerror(errno)));
        }
    }

    /// The machine is ended from outside; what is said from here on is seen on the terminal.
    void end_now(Status status) {
        m_status = static_cast<int>(status);
        pass_on_what_is_ready();
        m_terminal.restore();
    }

    /// What the machine has already said, as far as nobody has to wait.
    void pass_on_what_is_ready() {
        while (m_open[serial] && m_output.size() < output_pending_max) {
            std::string_view const text = receive(serial);
            if (text.empty()) {
                break;
            }
            m_console.feed(text, m_output);
        }
        pollfd ready{m_setup.output_descriptor, POLLOUT, 0};
        while (!m_output.empty() && poll(&ready, 1, 0) > 0) {
            write_output();
        }
    }

    void take_signal() {
        if (auto const signal = m_signals.take()) {
            end_now(static_cast<Status>(128 + *signal));
            if (!m_setup.quiet) {
                spdlog::info("ended by signal {} ({})", *signal, strsignal(*signal));
            }
        }
    }

    /// The time allowed has passed.
    void hang() {
        end_now(Status::timeout);
        if (m_setup.quiet) {
            return;
        }
        std::string report;
        if (m_open[monitor]) {
            // Where the image runs is known once it has said hello.
            auto const functions = m_journal.said_hello
                                       ? FunctionTable::read(read_file(m_setup.symbols))
                                       : FunctionTable();
            report = report_hang(
                m_monitor, m_journal, functions, m_setup.plan.cpus,
                Clock::now() + hang_report_time);
        } else {
            report = m_journal.progress();
        }
        spdlog::error("no end after {} s; {}", *m_setup.timeout_s, report);
        show_held_back();
    }

    int conclude() {
        m_terminal.restore();
        Verdict const verdict = judge(m_journal, end_of_emulator(), m_monitor.end_reason(), m_said);
        if (m_setup.quiet) {
            return verdict.status;
        }
        if (!verdict.line.empty()) {
            spdlog::error("{}", verdict.line);
        }
        if (verdict.status != 0) {
            show_held_back();
        }
        return verdict.status;
    }

    /// The last words of firmware or of the image's own start, if the kernel never spoke.
    void show_held_back() const {
        std::string const text = readable_end(m_console.held_back(), held_back_shown_bytes);
        if (!m_console.open() && !text.empty()) {
            spdlog::error("the kernel never spoke; the console's last words:\n{}", text);
        }
    }

    SessionSetup const& m_setup;
    EndSignals& m_signals;
    RawTerminal m_terminal;
    Emulator m_emulator;
    Monitor m_monitor;
    OutputFilter m_console;
    KeyFilter m_keys;
    Descriptor m_resizes;
    RecordDecoder m_decoder;
    Journal m_journal;
    std::optional<ResultsFile> m_results;
    std::optional<Clock::time_point> m_deadline;
    std::optional<Clock::time_point> m_end_due; ///< the exit record has come: see take_last_frame
    std::optional<int> m_status;                ///< decided before the machine ended by itself
    bool m_is_over = false; ///< the machine was kept for its last frame, which is taken
    bool m_reads_input = false;
    ByteQueue m_to_guest;
    ByteQueue m_output;
    std::string m_said; ///< by the emulator, the beginning
    std::array<bool, channel_count> m_open{true, true, true, true, true, true, true, true};
    std::array<pollfd, channel_count> m_polled{};
    std::array<char, 65536> m_chunk{};
};

} // namespace

EndSignals::EndSignals() {
    signal(SIGPIPE, SIG_IGN);
    m_descriptor = watch_signals({SIGINT, SIGTERM, SIGHUP, SIGQUIT});
}

std::optional<int> EndSignals::take() {
    return take_watched(m_descriptor);
}

int run_session(SessionSetup const& setup, EndSignals& signals) {
    return Session(setup, signals).run();
}

} // namespace twofold::launch
