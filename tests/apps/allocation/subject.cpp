// A program to be recorded: each mode allocates something that record.host.cpp knows exactly. Two
// requests of sizes that nothing else has mark the beginning and the end of the interesting part.
//
//     allocation_subject MODE [PROGRAM]
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration): unistd.h has it for GNU only

namespace {

constexpr std::size_t begin_marker = 424241;
constexpr std::size_t end_marker = 424242;

/// A request that no compiler leaves out.
void* keep(void* block) {
    void* volatile kept = block;
    return kept;
}

void mark(std::size_t size) {
    std::free(keep(std::malloc(size)));
}

int exact() {
    mark(begin_marker);
    void* first = keep(std::malloc(100));
    void* zeroed = keep(std::calloc(7, 11));
    void* const aligned = keep(aligned_alloc(256, 512));
    void* posix = nullptr;
    if (posix_memalign(&posix, 64, 200) != 0) {
        return 1;
    }
    void* const page = keep(valloc(10));
    void* const old_aligned = keep(memalign(32, 48));
    first = keep(std::realloc(first, 5000));
    void* const fresh = keep(std::realloc(nullptr, 33));
    zeroed = keep(reallocarray(zeroed, 10, 20));
    void* const text = keep(strdup("four"));
    int* const numbers = static_cast<int*>(keep(new int[25]));
    std::free(keep(nullptr));
    std::size_t volatile huge = PTRDIFF_MAX;
    std::free(keep(std::malloc(huge)));
    std::free(keep(std::calloc(huge, 16))); // refused before the allocator hears of it
    std::free(first);
    std::free(keep(std::realloc(fresh, 0)));
    std::free(zeroed);
    std::free(posix);
    std::free(aligned);
    std::free(page);
    std::free(old_aligned);
    std::free(text);
    delete[] numbers;
    mark(end_marker);
    return 0;
}

constexpr std::size_t thread_count = 4;
constexpr std::size_t blocks_per_thread = 2000;
using Row = std::array<void*, blocks_per_thread>;
std::array<Row, thread_count> g_rows;
pthread_barrier_t g_barrier;

/// Allocates a row, resizes half of it, and frees the row of the neighbour.
void* churn(void* argument) {
    std::size_t const self = static_cast<Row*>(argument) - g_rows.data();
    for (std::size_t i = 0; i < blocks_per_thread; ++i) {
        void* block = std::malloc(1000 + self);
        if (i % 2 == 0) {
            block = std::realloc(block, 2000 + self);
        }
        g_rows[self][i] = block;
    }
    pthread_barrier_wait(&g_barrier);
    for (void* const block : g_rows[(self + 1) % thread_count]) {
        std::free(block);
    }
    return nullptr;
}

int threads() {
    pthread_barrier_init(&g_barrier, nullptr, thread_count);
    std::array<pthread_t, thread_count> handles;
    for (std::size_t i = 0; i < thread_count; ++i) {
        if (pthread_create(&handles[i], nullptr, churn, &g_rows[i]) != 0) {
            return 1;
        }
    }
    for (pthread_t const handle : handles) {
        pthread_join(handle, nullptr);
    }
    return 0;
}

/// Waits for a child; 0 if it ended well.
int wait_for(pid_t child) {
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

int forks() {
    void* const inherited = keep(std::malloc(777));
    pid_t const child = fork();
    if (child == 0) {
        void* const own = keep(std::malloc(888));
        std::free(inherited);
        std::free(own);
        std::exit(0);
    }
    int const status = wait_for(child);
    std::free(keep(std::malloc(999)));
    std::free(inherited);
    return status;
}

/// A child that the C library has not been told of, and that ends through the library's
/// destructors.
int forks_behind_the_back() {
    std::free(keep(std::malloc(777)));
    auto const child =
        static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
        for (int i = 0; i < 100'000; ++i) { // more than a block of events
            std::free(keep(std::malloc(888)));
        }
        std::exit(0);
    }
    int const status = wait_for(child);
    std::free(keep(std::malloc(999)));
    return status;
}

int spawns(char const* program) {
    std::free(keep(std::malloc(777)));
    std::array<char*, 3> arguments = {
        const_cast<char*>(program), const_cast<char*>("exact"), nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, program, nullptr, nullptr, arguments.data(), environ) != 0) {
        return 1;
    }
    int status = wait_for(child);
    child = vfork();
    if (child == 0) {
        execl(program, program, "exact", static_cast<char*>(nullptr));
        _exit(1);
    }
    status |= wait_for(child);
    std::free(keep(std::malloc(999)));
    return status;
}

int becomes(char const* program) {
    std::free(keep(std::malloc(777)));
    execl("/nonexistent/program", "program", static_cast<char*>(nullptr));
    std::free(keep(std::malloc(999)));
    execlp(program, program, "exact", static_cast<char*>(nullptr));
    return 1;
}

} // namespace

int main(int count, char** arguments) {
    std::string_view const mode = count > 1 ? arguments[1] : "";
    if (mode == "exact") {
        return exact();
    }
    if (mode == "threads") {
        return threads();
    }
    if (mode == "fork") {
        return forks();
    }
    if (mode == "clone") {
        return forks_behind_the_back();
    }
    if (mode == "spawn") {
        return spawns(arguments[0]);
    }
    if (mode == "exec") {
        return becomes(arguments[0]);
    }
    if (mode == "leave") {
        (void)keep(std::malloc(777));
        _exit(0);
    }
    if (mode == "die") {
        (void)keep(std::malloc(777));
        return std::raise(SIGKILL);
    }
    return 64;
}
