// How many instructions a piece of code takes, exactly: a child of this process runs it step by
// step.
#pragma once

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace twofold::bench {

namespace detail {

/// The next stop of `child`: the signal. Throws if it ended instead.
inline int stop_of(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        throw std::runtime_error("the code that was to be counted has ended early");
    }
    return WSTOPSIG(status);
}

inline void step(int request, pid_t child) {
    if (ptrace(static_cast<__ptrace_request>(request), child, nullptr, nullptr) != 0) {
        throw std::runtime_error("single-stepping is not allowed here (ptrace)");
    }
}

template<class Code>
unsigned long count_between_stops(Code&& code) {
    pid_t const child = fork();
    if (child < 0) {
        throw std::runtime_error("fork failed");
    }
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        code();
        raise(SIGSTOP);
        _exit(0);
    }
    unsigned long count = 0;
    stop_of(child);
    do {
        step(PTRACE_SINGLESTEP, child);
        ++count;
    } while (stop_of(child) == SIGTRAP);
    step(PTRACE_KILL, child);
    waitpid(child, nullptr, 0);
    return count;
}

} // namespace detail

/// The user-mode instructions of one call of `code` in a copy of this process; a system call counts
/// as one. What the code changes is lost with the copy. Throws std::runtime_error where the host
/// does not allow to single-step.
template<class Code>
unsigned long count_instructions(Code&& code) {
    return detail::count_between_stops(code) - detail::count_between_stops([] {});
}

} // namespace twofold::bench
