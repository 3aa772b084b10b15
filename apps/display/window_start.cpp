// How the window program is found and started. See window_display.hpp.
#include "apps/display/window_display.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace twofold::display {

namespace {

namespace fs = std::filesystem;

constexpr char const* program_name = "twofold-window";
constexpr int start_patience_ms = 10'000;
/// The child's ends are kept above the numbers that they get there.
constexpr int child_ends_from = 16;

std::unexpected<std::string> system_error(std::string_view what) {
    return std::unexpected(fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

/// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char const* program, char* const* arguments, int socket, int memory) {
    setpgid(0, 0); // a terminal's ctrl-C is not for it
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    int const nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ready = nothing >= 0;
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ready = ready && dup2(nothing, stream) >= 0; // graphics libraries talk much
    }
    ready = ready && dup2(socket, window_socket_descriptor) >= 0 &&
            dup2(memory, window_memory_descriptor) >= 0;
    if (ready) {
        execv(program, arguments);
    }
    _exit(127);
}

/// Waits until the window says how it is. The error is why there is none.
std::expected<void, std::string> await_window(int socket) {
    pollfd polled{socket, POLLIN, 0};
    int ready = 0;
    do {
        ready = poll(&polled, 1, start_patience_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return std::unexpected(fmt::format(
            "{} does not say anything for {} s", program_name, start_patience_ms / 1000));
    }
    WindowMessage message;
    if (recv(socket, &message, sizeof(message), 0) != sizeof(message)) {
        return std::unexpected(fmt::format("{} has ended at once", program_name));
    }
    if (message.kind == WindowMessage::Kind::failed) {
        message.text[WindowMessage::text_bytes - 1] = '\0';
        return std::unexpected(std::string(message.text));
    }
    return {};
}

bool can_run(fs::path const& program) {
    return access(program.c_str(), X_OK) == 0;
}

} // namespace

fs::path WindowDisplay::find_program() {
    std::error_code error;
    fs::path const folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (fs::path const& place : {folder, folder.parent_path() / "window"}) {
        if (can_run(place / program_name)) {
            return place / program_name;
        }
    }
    char const* const search = std::getenv("PATH");
    std::string_view rest = search == nullptr ? "" : search;
    while (!rest.empty()) {
        auto const colon = std::min(rest.find(':'), rest.size());
        fs::path const candidate = fs::path(rest.substr(0, colon)) / program_name;
        if (can_run(candidate)) {
            return candidate;
        }
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return {};
}

std::expected<std::unique_ptr<WindowDisplay>, std::string>
WindowDisplay::open(fs::path const& program, FrameSize size) {
    if (program.empty()) {
        return std::unexpected(fmt::format("there is no program {}", program_name));
    }
    auto memory = SharedMemory::create();
    if (!memory) {
        return std::unexpected(fmt::format("cannot share memory: {}", memory.error()));
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return system_error("open a channel");
    }
    launch::Descriptor ours(ends[0]);
    launch::Descriptor low(ends[1]);
    launch::Descriptor theirs(fcntl(low.number(), F_DUPFD_CLOEXEC, child_ends_from));
    launch::Descriptor shared(fcntl(memory->descriptor(), F_DUPFD_CLOEXEC, child_ends_from));
    launch::Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!theirs || !shared || !wake) {
        return system_error("prepare a channel");
    }
    std::unique_ptr<WindowDisplay> display(
        new WindowDisplay(std::move(*memory), std::move(ours), std::move(wake)));
    display->m_frame.resize(size);
    display->m_memory.frame().size = size;
    std::string name = program.string();
    std::array<char*, 2> const arguments{name.data(), nullptr};
    pid_t const process = fork();
    if (process < 0) {
        return system_error("start a process");
    }
    if (process == 0) {
        become(name.c_str(), arguments.data(), theirs.number(), shared.number());
    }
    display->m_process = process;
    theirs.close(); // or its end would not be seen
    low.close();
    if (auto const there = await_window(display->m_socket.number()); !there) {
        return std::unexpected(there.error());
    }
    return display;
}

} // namespace twofold::display
