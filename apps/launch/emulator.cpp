// Starting and ending the emulator. See emulator.hpp.
#include "apps/launch/emulator.hpp"

#include "apps/launch/boot_options.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace twofold::launch {

namespace {

/// The child's ends are kept above the numbers that they get in the emulator.
constexpr int child_ends_from = 16;
constexpr int exit_cannot_execute = 127;
static_assert(monitor_descriptor < child_ends_from);

[[noreturn]] void fail(char const* what) {
    throw Failure(Status::crash, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

Descriptor moved_up(int number) {
    Descriptor const low(number);
    Descriptor high(fcntl(low.number(), F_DUPFD_CLOEXEC, child_ends_from));
    if (!high) {
        fail("prepare a channel");
    }
    return high;
}

struct Channel {
    Descriptor ours;
    Descriptor theirs;
};

Channel make_channel() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        fail("open a channel");
    }
    Channel channel{Descriptor(ends[0]), moved_up(ends[1])};
    if (fcntl(channel.ours.number(), F_SETFL, O_NONBLOCK) != 0) {
        fail("prepare a channel");
    }
    return channel;
}

/// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void
become(char const* program, char* const* arguments, std::array<int, 4> const& ends, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    int const nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    constexpr std::array targets{
        serial_descriptor, results_descriptor, monitor_descriptor, STDERR_FILENO};
    bool ready = getppid() == parent && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
                 dup2(nothing, STDOUT_FILENO) >= 0;
    for (usize index = 0; index < ends.size(); ++index) {
        ready = ready && dup2(ends[index], targets[index]) >= 0;
    }
    if (ready) {
        execv(program, arguments);
    }
    _exit(exit_cannot_execute);
}

} // namespace

Emulator
Emulator::start(std::filesystem::path const& program, std::vector<std::string> const& arguments) {
    Channel serial = make_channel();
    Channel results = make_channel();
    Channel monitor = make_channel();
    Channel messages = make_channel();
    std::string name = program.string();
    std::vector<std::string> copies = arguments;
    std::vector<char*> pointers = {name.data()};
    for (std::string& copy : copies) {
        pointers.push_back(copy.data());
    }
    pointers.push_back(nullptr);
    std::array const ends{
        serial.theirs.number(), results.theirs.number(), monitor.theirs.number(),
        messages.theirs.number()};

    Emulator emulator;
    pid_t const parent = getpid();
    emulator.m_process = fork();
    if (emulator.m_process < 0) {
        fail("start a process");
    }
    if (emulator.m_process == 0) {
        become(name.c_str(), pointers.data(), ends, parent);
    }
    setpgid(
        emulator.m_process, emulator.m_process); // both sides do it, so that neither is too late
    emulator.serial = std::move(serial.ours);
    emulator.results = std::move(results.ours);
    emulator.monitor = std::move(monitor.ours);
    emulator.messages = std::move(messages.ours);
    return emulator;
}

Emulator::Emulator(Emulator&& other) noexcept
    : serial(std::move(other.serial)),
      results(std::move(other.results)),
      monitor(std::move(other.monitor)),
      messages(std::move(other.messages)),
      m_process(std::exchange(other.m_process, -1)) {}

Emulator::~Emulator() {
    if (m_process > 0) {
        kill();
        wait();
    }
}

void Emulator::kill() {
    if (m_process > 0) {
        ::kill(-m_process, SIGKILL);
    }
}

ProcessEnd Emulator::wait() {
    int status = 0;
    pid_t const process = std::exchange(m_process, -1);
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) {
            fail("learn how the emulator ended");
        }
    }
    return WIFSIGNALED(status) ? ProcessEnd{true, WTERMSIG(status)}
                               : ProcessEnd{false, WEXITSTATUS(status)};
}

} // namespace twofold::launch
