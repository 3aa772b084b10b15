// Where a recorded program begins and ends: the library's constructor and destructor, and the
// functions that end a program without running destructors. A child of vfork runs in its parent's
// memory, so an exec there must not complete the parent's trace; the process number tells them
// apart.
#include "apps/allocation/record/real.hpp"
#include "apps/allocation/record/recorder.hpp"

#include <cstdarg>
#include <cstdlib>
#include <pthread.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration): unistd.h has it for GNU only

namespace {

using namespace twofold;
using namespace twofold::allocation;

constinit pid_t g_process = 0;

void forget_parent() {
    g_process = getpid();
}

[[gnu::constructor]] void begin() {
    (void)real_allocator();
    g_process = getpid();
    start_recording();
    pthread_atfork(nullptr, nullptr, forget_parent);
}

[[gnu::destructor]] void end() {
    end_recording();
}

void complete_before_ending() {
    if (getpid() == g_process) {
        complete_recording();
    }
}

/// The arguments of an execl function as the array that execve takes.
class ArgumentList {
public:
    static constexpr usize count_max = 4096;

    ArgumentList(char const* first, va_list& rest) {
        m_arguments[0] = const_cast<char*>(first);
        usize count = first == nullptr ? 0 : 1;
        while (count > 0 && count < count_max && m_arguments[count - 1] != nullptr) {
            m_arguments[count++] = va_arg(rest, char*);
        }
        m_arguments[count_max] = nullptr;
    }
    char* const* get() const { return m_arguments; }

private:
    char* m_arguments[count_max + 1];
};

} // namespace

extern "C" {

[[gnu::visibility("default")]] int
execve(char const* path, char* const* arguments, char* const* environment) noexcept {
    complete_before_ending();
    return real_endings().execve(path, arguments, environment);
}

[[gnu::visibility("default")]] int execv(char const* path, char* const* arguments) noexcept {
    return execve(path, arguments, environ);
}

[[gnu::visibility("default")]] int
execvpe(char const* file, char* const* arguments, char* const* environment) noexcept {
    complete_before_ending();
    return real_endings().execvpe(file, arguments, environment);
}

[[gnu::visibility("default")]] int execvp(char const* file, char* const* arguments) noexcept {
    return execvpe(file, arguments, environ);
}

[[gnu::visibility("default")]] int
fexecve(int file, char* const* arguments, char* const* environment) noexcept {
    complete_before_ending();
    return real_endings().fexecve(file, arguments, environment);
}

[[gnu::visibility("default")]] int execl(char const* path, char const* first, ...) noexcept {
    va_list rest;
    va_start(rest, first);
    ArgumentList const arguments(first, rest);
    va_end(rest);
    return execve(path, arguments.get(), environ);
}

[[gnu::visibility("default")]] int execlp(char const* file, char const* first, ...) noexcept {
    va_list rest;
    va_start(rest, first);
    ArgumentList const arguments(first, rest);
    va_end(rest);
    return execvpe(file, arguments.get(), environ);
}

[[gnu::visibility("default")]] int execle(char const* path, char const* first, ...) noexcept {
    va_list rest;
    va_start(rest, first);
    ArgumentList const arguments(first, rest);
    char* const* const environment = va_arg(rest, char* const*);
    va_end(rest);
    return execve(path, arguments.get(), environment);
}

[[gnu::visibility("default")]] void _exit(int status) {
    complete_before_ending();
    real_endings().exit_now(status);
    __builtin_unreachable();
}

[[gnu::visibility("default")]] void _Exit(int status) noexcept {
    _exit(status);
}

} // extern "C"
