// What forking and joining is measured against: oneTBB's task_group, by the same Fibonacci number.
// Prints one JSON object: picoseconds a task.
//
//     sched-tbb-peer THREADS N
#include "core/base/integers.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <tbb/global_control.h>
#include <tbb/task_group.h>
#include <utility>

namespace {

using twofold::u32;
using twofold::u64;

constexpr u32 rounds = 5;

u64 fibonacci(u32 n) {
    if (n < 2) {
        return n;
    }
    u64 left = 0;
    tbb::task_group group;
    group.run([&] { left = fibonacci(n - 1); });
    u64 const right = fibonacci(n - 2);
    group.wait();
    return left + right;
}

} // namespace

int main(int count, char** arguments) {
    auto const threads = count == 3 ? std::strtoul(arguments[1], nullptr, 10) : 0;
    auto const n = count == 3 ? static_cast<u32>(std::strtoul(arguments[2], nullptr, 10)) : 0;
    if (threads == 0 || n == 0 || n > 40) {
        std::fprintf(stderr, "usage: sched-tbb-peer THREADS N\n");
        return 64;
    }
    u64 number = 0;
    u64 next = 1;
    for (u32 i = 0; i < n; ++i) {
        number = std::exchange(next, number + next);
    }
    tbb::global_control const limit(tbb::global_control::max_allowed_parallelism, threads);
    bool is_right = fibonacci(n) == number; // its threads have begun
    auto const began = std::chrono::steady_clock::now();
    for (u32 round = 0; round < rounds; ++round) {
        is_right = is_right && fibonacci(n) == number;
    }
    std::chrono::duration<double, std::pico> const took = std::chrono::steady_clock::now() - began;
    if (!is_right) {
        std::fprintf(stderr, "sched-tbb-peer: the number is wrong\n");
        return 1;
    }
    std::printf("{\"join\": %.0f}\n", took.count() / (rounds * static_cast<double>(next)));
    return 0;
}
