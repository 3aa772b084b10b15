// What the hosted machine's interrupts are measured against: signals of the host, as bare as they
// can be had. Prints one JSON object: nanoseconds, the median of many.
//
//     processors-peers [COUNT]
//
// signal_to_self: from the call that sends a signal to the running thread to the first instruction
// of its handler. signal_to_other: the same from one thread to another that computes on another
// processor (where there is one) and makes no call. mask_pair: blocking and unblocking a signal.
#include "core/base/integers.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

using twofold::u64;
using twofold::usize;

namespace {

constexpr int signal_number = SIGUSR1;
constexpr usize signal_stack_bytes = usize{64} << 10;

/// When the handler began, as the counter says; 0: not since it was cleared.
std::atomic<u64> handled_at{0};

u64 counter() {
    return __builtin_ia32_rdtsc();
}

double nanoseconds_per_tick() {
    auto const began = std::chrono::steady_clock::now();
    u64 const first = counter();
    std::chrono::nanoseconds passed{};
    do {
        passed = std::chrono::steady_clock::now() - began;
    } while (passed < std::chrono::milliseconds(50));
    return static_cast<double>(passed.count()) / static_cast<double>(counter() - first);
}

void handle(int) {
    handled_at.store(counter(), std::memory_order_relaxed);
}

/// The running thread takes the signal on a stack of its own, as the hosted machine's do.
void install_handler(std::vector<char>& stack) {
    stack.resize(signal_stack_bytes);
    stack_t description{};
    description.ss_sp = stack.data();
    description.ss_size = stack.size();
    sigaltstack(&description, nullptr);
    struct sigaction action{};
    action.sa_handler = handle;
    action.sa_flags = SA_ONSTACK;
    sigfillset(&action.sa_mask);
    sigaction(signal_number, &action, nullptr);
}

void remove_handler_stack() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
}

pid_t thread_id() {
    return static_cast<pid_t>(syscall(SYS_gettid));
}

void send(pid_t thread) {
    syscall(SYS_tgkill, getpid(), thread, signal_number);
}

void pin(unsigned processor) {
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof(allowed), &allowed);
    unsigned found = 0;
    for (unsigned candidate = 0; candidate < CPU_SETSIZE; ++candidate) {
        if (CPU_ISSET(candidate, &allowed) && found++ == processor) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(candidate, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

u64 median(std::vector<u64>& values) {
    std::nth_element(
        values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

u64 signal_to_self(usize count) {
    std::vector<char> stack;
    install_handler(stack);
    std::vector<u64> ticks;
    pid_t const self = thread_id();
    for (usize turn = 0; turn < count; ++turn) {
        handled_at.store(0, std::memory_order_relaxed);
        u64 const began = counter();
        send(self);
        ticks.push_back(handled_at.load(std::memory_order_relaxed) - began);
    }
    remove_handler_stack();
    return median(ticks);
}

u64 signal_to_other(usize count) {
    std::atomic<pid_t> target{0};
    std::atomic<bool> ends{false};
    std::thread computing([&] {
        pin(1);
        std::vector<char> stack;
        install_handler(stack);
        target.store(thread_id());
        while (!ends.load(std::memory_order_relaxed)) {
        }
        remove_handler_stack();
    });
    pin(0);
    while (target.load() == 0) {
    }
    std::vector<u64> ticks;
    for (usize turn = 0; turn < count; ++turn) {
        handled_at.store(0);
        u64 const began = counter();
        send(target.load());
        u64 ended = 0;
        while ((ended = handled_at.load(std::memory_order_relaxed)) == 0) {
        }
        ticks.push_back(ended - began);
    }
    ends.store(true);
    computing.join();
    return median(ticks);
}

u64 mask_pair(usize count) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal_number);
    u64 const began = counter();
    for (usize turn = 0; turn < count; ++turn) {
        sigset_t before;
        pthread_sigmask(SIG_BLOCK, &one, &before);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    return (counter() - began) / count;
}

} // namespace

int main(int count, char** arguments) {
    usize const turns = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 2000;
    if (turns == 0) {
        std::fprintf(stderr, "processors-peers: COUNT is a number above 0\n");
        return 64;
    }
    double const scale = nanoseconds_per_tick();
    double const self = static_cast<double>(signal_to_self(turns)) * scale;
    double const mask = static_cast<double>(mask_pair(turns)) * scale;
    double const other = static_cast<double>(signal_to_other(turns)) * scale;
    std::printf(
        "{\"signal_to_self\": %.1f, \"signal_to_other\": %.1f, \"mask_pair\": %.1f}\n", self, other,
        mask);
    return 0;
}
