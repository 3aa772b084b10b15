// Starts a machine's program. See machine_process.hpp.
#include "apps/sched/machine_process.hpp"

#include "apps/launch/descriptor.hpp"
#include "apps/launch/status.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace twofold::lab {

namespace {

using launch::Failure;
using launch::Status;

constexpr int exit_cannot_execute = 127;

launch::Descriptor open_file(std::filesystem::path const& path, int flags) {
    launch::Descriptor file(open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!file) {
        throw Failure(
            Status::io,
            fmt::format("'{}' cannot be opened: {}", path.string(), std::strerror(errno)));
    }
    return file;
}

/// The child becomes the program.
[[noreturn]] void become(char* const* arguments, int in, int out, int err, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGINT, SIG_DFL);
    bool const is_ready = getppid() == parent && dup2(in, STDIN_FILENO) >= 0 &&
                          dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0;
    if (is_ready) {
        execv(arguments[0], arguments);
    }
    _exit(exit_cannot_execute);
}

int wait_for(pid_t process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) {
            throw Failure(Status::io, fmt::format("waiting: {}", std::strerror(errno)));
        }
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) {
        return static_cast<int>(Status::interrupted);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(Status::crash);
}

} // namespace

int run_program(
    std::vector<std::string> arguments,
    std::filesystem::path const& out,
    std::filesystem::path const& err) {
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    constexpr int written = O_WRONLY | O_CREAT | O_TRUNC;
    launch::Descriptor const in_file = open_file("/dev/null", O_RDONLY);
    launch::Descriptor const out_file = open_file(out, written);
    launch::Descriptor const err_file = open_file(err, written);
    auto const before = signal(SIGINT, SIG_IGN);
    pid_t const parent = getpid();
    pid_t const process = fork();
    if (process == 0) {
        become(pointers.data(), in_file.number(), out_file.number(), err_file.number(), parent);
    }
    int const error = errno;
    int const status = process > 0 ? wait_for(process) : 0;
    signal(SIGINT, before);
    if (process < 0 || status == exit_cannot_execute) {
        throw Failure(
            Status::unavailable, fmt::format(
                                     "{} cannot be started: {}", arguments[0],
                                     process < 0 ? std::strerror(error) : "it is no program"));
    }
    return status;
}

} // namespace twofold::lab
