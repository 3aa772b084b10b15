// The modes of malloc_subject that start threads and processes.
#include "tests/apps/malloc/subject.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <map>
#include <memory>
#include <new>
#include <pthread.h>
#include <random>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace malloc_subject {

namespace {

/// Allocates, checks and frees blocks of its own until it is told to stop.
void churn(std::atomic<bool> const& stop, unsigned seed, int rounds_min) {
    std::minstd_rand random(seed);
    std::array<unsigned char*, 64> blocks{};
    std::array<std::size_t, 64> sizes{};
    for (int round = 0; round < rounds_min || !stop.load(); ++round) {
        std::size_t const i = random() % blocks.size();
        auto const stamp = static_cast<unsigned char>(seed + i);
        if (blocks[i] != nullptr) {
            REQUIRE(holds(blocks[i], sizes[i], stamp));
            std::free(blocks[i]);
        }
        sizes[i] = 1 + random() % (round % 100 == 0 ? 100'000 : 1000);
        blocks[i] = static_cast<unsigned char*>(std::malloc(sizes[i]));
        REQUIRE(blocks[i] != nullptr);
        fill(blocks[i], sizes[i], stamp);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        REQUIRE(
            blocks[i] == nullptr ||
            holds(blocks[i], sizes[i], static_cast<unsigned char>(seed + i)));
        std::free(blocks[i]);
    }
}

void expect_good_end(pid_t child) {
    int status = 1;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

constexpr int fork_count = 60;

/// What a child does: its parent's blocks are whole, it allocates in threads of its own, it forks
/// again.
[[noreturn]] void live_as_child(std::vector<std::string> const& inherited, int number) {
    for (std::size_t i = 0; i < inherited.size(); ++i) {
        REQUIRE(inherited[i] == std::string(i % 1000, static_cast<char>('a' + i % 26)));
    }
    std::atomic<bool> const stop = true;
    churn(stop, 1, 2000);
    if (number % 4 == 0) {
        std::thread other([&] { churn(stop, 2, 2000); });
        other.join();
        pid_t const grandchild = fork();
        if (grandchild == 0) {
            churn(stop, 3, 500);
            _exit(0);
        }
        expect_good_end(grandchild);
    }
    // By the common way out in turns: destructors and all.
    if (number % 2 == 0) {
        std::exit(0);
    }
    _exit(0);
}

} // namespace

int forks() {
    std::vector<std::string> inherited;
    for (std::size_t i = 0; i < 3000; ++i) {
        inherited.emplace_back(i % 1000, static_cast<char>('a' + i % 26));
    }
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (unsigned seed = 1; seed <= 4; ++seed) {
        threads.emplace_back([&stop, seed] { churn(stop, seed, 0); });
    }
    for (int number = 0; number < fork_count; ++number) {
        std::string const own(static_cast<std::size_t>(number) * 100, 'x');
        pid_t const child = fork();
        if (child == 0) {
            live_as_child(inherited, number);
        }
        expect_good_end(child);
        REQUIRE(own == std::string(static_cast<std::size_t>(number) * 100, 'x'));
    }
    stop = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    return 0;
}

int forks_and_execs(char const* program) {
    std::atomic<bool> stop = false;
    std::thread other([&] { churn(stop, 9, 0); });
    for (int number = 0; number < 10; ++number) {
        pid_t const child = fork();
        if (child == 0) {
            execl(program, program, "errors", static_cast<char*>(nullptr));
            _exit(1);
        }
        expect_good_end(child);
    }
    stop = true;
    other.join();
    return 0;
}

namespace {

std::size_t anonymous_kib() {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file(
        std::fopen("/proc/self/smaps_rollup", "re"), std::fclose);
    std::array<char, 256> line;
    while (file && std::fgets(line.data(), line.size(), file.get()) != nullptr) {
        std::size_t kib = 0;
        if (std::sscanf(line.data(), "Anonymous: %zu", &kib) == 1) {
            return kib;
        }
    }
    REQUIRE(false);
    return 0;
}

constexpr int short_lived_threads = 200;

} // namespace

/// Threads that come and go leave nothing behind: what the first of them needed serves the last.
int short_lives() {
    std::atomic<bool> const stop = true;
    auto const live_and_die = [&](int count) {
        for (int number = 0; number < count; ++number) {
            std::thread thread([&] { churn(stop, static_cast<unsigned>(number), 300); });
            thread.join();
        }
    };
    live_and_die(20);
    std::size_t const before = anonymous_kib();
    live_and_die(short_lived_threads);
    std::size_t const after = anonymous_kib();
    REQUIRE(after <= before + 1024);
    // And all at once.
    std::vector<std::thread> threads;
    for (int number = 0; number < short_lived_threads; ++number) {
        threads.emplace_back([&stop, number] { churn(stop, static_cast<unsigned>(number), 300); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return 0;
}

/// More threads at once than there are caches for: all of them hold a block before any goes on.
int many_threads() {
    constexpr unsigned count = 1200;
    static pthread_barrier_t barrier;
    REQUIRE(pthread_barrier_init(&barrier, nullptr, count) == 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, std::size_t{256} << 10);
    std::vector<pthread_t> threads(count);
    for (pthread_t& thread : threads) {
        int const started = pthread_create(
            &thread, &attributes,
            [](void*) -> void* {
                void* const held = hidden(std::malloc(100));
                fill(held, 100, 5);
                pthread_barrier_wait(&barrier);
                std::atomic<bool> const stop = true;
                churn(stop, 5, 50);
                REQUIRE(holds(held, 100, 5));
                std::free(held);
                return nullptr;
            },
            nullptr);
        REQUIRE(started == 0);
    }
    for (pthread_t const thread : threads) {
        pthread_join(thread, nullptr);
    }
    return 0;
}

/// Blocks outlive the thread that allocated them: others read, resize and free them.
int orphans() {
    constexpr std::size_t count = 5000;
    std::vector<unsigned char*> blocks(count);
    auto const size_of = [](std::size_t i) { return 1 + i * 7 % 3000; };
    for (int round = 0; round < 20; ++round) {
        std::thread owner([&] {
            for (std::size_t i = 0; i < count; ++i) {
                blocks[i] = static_cast<unsigned char*>(std::malloc(size_of(i)));
                fill(blocks[i], size_of(i), static_cast<unsigned char>(i));
            }
        });
        owner.join();
        auto const inherit = [&](std::size_t first) {
            for (std::size_t i = first; i < count; i += 2) {
                REQUIRE(holds(blocks[i], size_of(i), static_cast<unsigned char>(i)));
                if (i % 3 == 0) {
                    blocks[i] = static_cast<unsigned char*>(std::realloc(blocks[i], 4000));
                    REQUIRE(holds(blocks[i], size_of(i), static_cast<unsigned char>(i)));
                }
                std::free(blocks[i]);
            }
        };
        std::thread heir([&] { inherit(0); });
        inherit(1);
        heir.join();
    }
    return 0;
}

namespace {

pthread_key_t g_key;

} // namespace

void allocate_late(void* value) {
    for (std::size_t size = 1; size < 2000; size += 13) {
        void* const block = std::malloc(size);
        REQUIRE(block != nullptr);
        fill(block, size, 1);
        std::free(block);
    }
    std::free(value);
    if (hidden(true)) { // once more, as long as the C library asks
        pthread_setspecific(g_key, std::malloc(50));
    }
}

namespace {

struct Late {
    std::vector<int> numbers = std::vector<int>(1000, 7);
    ~Late() {
        numbers.resize(5000);
        REQUIRE(numbers[999] == 7);
    }
};
Late g_late; ///< destroyed behind main

} // namespace

/// Allocation where a thread or the program ends.
int ends() {
    REQUIRE(pthread_key_create(&g_key, allocate_late) == 0);
    for (int number = 0; number < 300; ++number) {
        std::thread thread([] {
            thread_local Late late;
            late.numbers[0] = 1;
            pthread_setspecific(g_key, std::malloc(100));
        });
        thread.join();
    }
    std::atexit([] { allocate_late(std::malloc(10)); });
    return 0;
}

} // namespace malloc_subject
