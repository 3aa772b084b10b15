// What the kernel's threads are measured against: threads of the host that do the same, on whatever
// processor the program was pinned to. Prints one JSON object.
//
//     sched-peers hand-overs ROUNDS    nanoseconds of each operation (commands/hand_overs.cpp)
//     sched-peers shares MS            by how many millionths a share is off (commands/shares.cpp)
#include "core/base/integers.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string_view>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using twofold::u32;
using twofold::u64;

namespace {

using Clock = std::chrono::steady_clock;

/// Nanoseconds of one of `rounds` operations.
template<class Operation>
double time_of(u32 rounds, Operation const& operation) {
    auto const began = Clock::now();
    for (u32 round = 0; round < rounds; ++round) {
        operation();
    }
    std::chrono::duration<double, std::nano> const took = Clock::now() - began;
    return took.count() / rounds;
}

void wait_on(std::atomic<u32>& word, u32 expected) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void wake(std::atomic<u32>& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

double time_words(u32 rounds) {
    std::atomic<u32> ping{0};
    std::atomic<u32> pong{0};
    auto const await = [](std::atomic<u32>& word, u32 wanted) {
        while (word.load(std::memory_order_acquire) != wanted) {
            wait_on(word, wanted - 1);
        }
    };
    std::thread other([&] {
        for (u32 round = 1; round <= rounds; ++round) {
            await(ping, round);
            pong.store(round, std::memory_order_release);
            wake(pong);
        }
    });
    u32 round = 0;
    double const took = time_of(rounds, [&] {
        ping.store(++round, std::memory_order_release);
        wake(ping);
        await(pong, round);
    });
    other.join();
    return took;
}

double time_yields(u32 rounds) {
    std::atomic<bool> is_over{false};
    std::thread other([&] {
        while (!is_over.load(std::memory_order_relaxed)) {
            sched_yield();
        }
    });
    double const took = time_of(rounds, [] { sched_yield(); });
    is_over.store(true);
    other.join();
    return took;
}

/// A mutex that lends priority is handed over to who waits, as the kernel's is.
double time_mutex_hand_overs(u32 rounds) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_t mutex;
    pthread_mutex_init(&mutex, &attributes);
    auto const turn = [&] {
        pthread_mutex_lock(&mutex);
        sched_yield();
        pthread_mutex_unlock(&mutex);
    };
    std::thread other([&] {
        for (u32 round = 0; round < rounds; ++round) {
            turn();
        }
    });
    double const took = time_of(rounds, turn);
    other.join();
    pthread_mutex_destroy(&mutex);
    pthread_mutexattr_destroy(&attributes);
    return took;
}

/// A second thread exists, without which the C library leaves out what is atomic.
double time_free_mutex(u32 rounds) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<u32> is_over{0};
    std::thread other([&] {
        while (is_over.load() == 0) {
            wait_on(is_over, 0);
        }
    });
    double const took = time_of(rounds, [&] {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    });
    is_over.store(1);
    wake(is_over);
    other.join();
    return took;
}

double time_spawns(u32 rounds) {
    return time_of(rounds, [] { std::thread([] {}).join(); });
}

int measure_hand_overs(u32 rounds) {
    std::printf(
        "{\"word_round_trip\": %.1f, \"yield_pair\": %.1f, \"mutex_hand_over\": %.1f, "
        "\"mutex_free\": %.2f, \"spawn_join\": %.1f}\n",
        time_words(rounds), time_yields(rounds), time_mutex_hand_overs(rounds),
        time_free_mutex(rounds), time_spawns(rounds / 20 + 1));
    return 0;
}

// ---- shares ----

constexpr int nice_values[] = {0, 2, 4, 6};
/// sched_prio_to_weight in Linux's kernel/sched/core.c.
constexpr double weights[] = {1024, 655, 423, 272};

struct Hog {
    std::atomic<bool>* is_over = nullptr;
    int nice = 0;
    std::atomic<bool> is_ready{false};
    pthread_t thread{};

    static void* compute(void* argument) {
        auto& self = *static_cast<Hog*>(argument);
        setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), self.nice);
        self.is_ready.store(true);
        while (!self.is_over->load(std::memory_order_relaxed)) {
        }
        return nullptr;
    }
    double used() const {
        clockid_t clock{};
        timespec time{};
        pthread_getcpuclockid(thread, &clock);
        clock_gettime(clock, &time);
        return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
    }
};

int measure_shares(u32 milliseconds) {
    constexpr std::size_t hogs = std::size(nice_values);
    std::atomic<bool> is_over{false};
    Hog all[hogs];
    for (std::size_t index = 0; index < hogs; ++index) {
        all[index].is_over = &is_over;
        all[index].nice = nice_values[index];
        pthread_create(&all[index].thread, nullptr, Hog::compute, &all[index]);
    }
    for (Hog const& hog : all) {
        while (!hog.is_ready.load()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    double used[hogs];
    double sum = 0;
    std::ranges::transform(all, used, &Hog::used);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    for (std::size_t index = 0; index < hogs; ++index) {
        used[index] = all[index].used() - used[index];
        sum += used[index];
    }
    is_over.store(true);
    for (Hog const& hog : all) {
        pthread_join(hog.thread, nullptr);
    }
    double all_weights = 0;
    for (double const weight : weights) {
        all_weights += weight;
    }
    double worst = 0;
    for (std::size_t index = 0; index < hogs; ++index) {
        double const ideal = sum * weights[index] / all_weights;
        worst = std::max(worst, std::abs(used[index] - ideal) / ideal);
    }
    std::printf("{\"share_error\": %.0f}\n", worst * 1e6);
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    std::string_view const what = count == 3 ? arguments[1] : "";
    auto const number = static_cast<u32>(count == 3 ? std::strtoul(arguments[2], nullptr, 10) : 0);
    if (number != 0 && what == "hand-overs") {
        return measure_hand_overs(number);
    }
    if (number != 0 && what == "shares") {
        return measure_shares(number);
    }
    std::fprintf(stderr, "usage: sched-peers hand-overs ROUNDS | sched-peers shares MS\n");
    return 64;
}
