// See terminal.hpp. A process has one terminal, and signal handlers have no arguments: hence the
// state.
#include "apps/host/terminal.hpp"

#include "apps/launch/screen_modes.hpp"
#include "apps/launch/status.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

namespace twofold::host {

namespace {

struct State {
    int descriptor = -1;
    termios before{};
    termios raw{};
    std::sig_atomic_t volatile is_raw = 0;
    bool is_shown_on = false; ///< standard output is a terminal, too
    launch::ScreenModes modes;
    int resize_event = -1;
};
State state;

constexpr std::array ending_signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
/// A terminal that takes nothing for so long is not waited for.
constexpr int show_patience_ms = 500;

/// Signal-safe.
void show(launch::ScreenModes::Sequence const& sequence) {
    std::string_view rest = sequence.view();
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    while (state.is_shown_on && !rest.empty() && poll(&output, 1, show_patience_ms) > 0) {
        ssize_t const written = write(STDOUT_FILENO, rest.data(), rest.size());
        if (written <= 0) {
            return;
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

void enter_raw() {
    if (tcsetattr(state.descriptor, TCSADRAIN, &state.raw) == 0) {
        state.is_raw = 1;
    }
}

void note_resize(int) {
    int const before = errno;
    u64 const one = 1;
    [[maybe_unused]] auto const written = write(state.resize_event, &one, sizeof(one));
    errno = before;
}

/// Does to this process what the signal would have done without a handler; returns if that was a
/// stop.
void take_default(int signal) {
    struct sigaction ours{};
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, &ours);
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, signal);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &set, &before); // it arrives here
    sigprocmask(SIG_SETMASK, &before, nullptr);
    sigaction(signal, &ours, nullptr);
}

void end(int signal) {
    restore_terminal();
    take_default(signal);
}

void stop(int signal) {
    bool const was_raw = state.is_raw != 0;
    restore_terminal();
    take_default(signal);
    if (was_raw) { // somebody continued the process
        enter_raw();
        show(state.modes.redo());
        note_resize(signal); // what was drawn is gone, and is drawn anew for a new size
    }
}

void handle(int signal, void (*handler)(int)) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK | SA_RESTART; // never on a kernel's stack
    sigfillset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

} // namespace

void make_terminal_raw(int descriptor) {
    if (tcgetattr(descriptor, &state.before) != 0) {
        return;
    }
    state.descriptor = descriptor;
    state.is_shown_on = isatty(STDOUT_FILENO) == 1;
    state.raw = state.before;
    cfmakeraw(&state.raw);
    state.raw.c_oflag = state.before.c_oflag; // a bare newline still begins a line
    for (int const signal : ending_signals) {
        handle(signal, end);
    }
    handle(SIGTSTP, stop);
    state.resize_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state.resize_event < 0) {
        throw launch::Failure(launch::Status::io, "cannot watch the terminal's size");
    }
    handle(SIGWINCH, note_resize);
    std::atexit(restore_terminal);
    enter_raw();
}

void note_shown(std::string_view text) {
    if (state.is_shown_on) {
        state.modes.feed(text);
    }
}

void restore_terminal() {
    if (state.is_raw != 0) {
        show(state.modes.undo());
        tcsetattr(state.descriptor, TCSADRAIN, &state.before);
        state.is_raw = 0;
    }
}

int terminal_resize_event() {
    return state.resize_event;
}

std::string take_size_report() {
    u64 count = 0;
    bool const is_changed =
        state.resize_event >= 0 && read(state.resize_event, &count, sizeof(count)) > 0;
    bool const is_asked = state.modes.take_size_request();
    bool const is_due = state.modes.reports_size() && (is_asked || is_changed);
    return is_due ? launch::size_report(state.descriptor) : std::string();
}

} // namespace twofold::host
