// The synthetic workloads, each in a process of its own: bench/memory/workloads.py runs this
// program on every allocator in turns. It prints one number: nanoseconds a pair of take and give
// (churn, lifo, bulk), million objects a second (remote), or bytes held for each live byte (shift).
//
//     churn    16,384 live blocks of 16 to 1,024 bytes; a random one is given back and replaced
//     lifo     64 bytes, taken and given back at once
//     bulk     a million blocks of 48 bytes taken, then given back in the same order
//     remote   one thread takes blocks of 16 to 256 bytes, another gives them back
//     shift    fill to 64 MiB with 16-128 bytes, give 90 percent back at random, and again with
//              130-256, 500-2,000 and 16-4,000 bytes; what is resident then
//
// With the word `small` behind the name, fewer blocks and steps, so that allocators that take a
// search for each of them end in time too: bench/memory/selected.py. An allocator that runs out of
// memory ends the program with status 3.
//
// The shift is in the manner of S. Rumble, A. Kejriwal and J. Ousterhout, "Log-structured memory
// for DRAM-based storage", FAST 2014, table 1. Short runs are repeated and the least is taken: on a
// shared host, time is only ever added.
#include <subject.hpp> // bench/memory/subjects/malloc or kernel (span too), by include path

#include "core/base/base.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <sys/mman.h>
#include <thread>

namespace {

using namespace twofold;

/// A table of the workload's own, so that it is no load on the allocator. Resident from the start.
template<class T>
std::span<T> table(usize count) {
    void* const memory = mmap(
        nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        std::abort();
    }
    return {static_cast<T*>(memory), count};
}

class Xorshift {
public:
    u64 next() {
        m_state ^= m_state << 13;
        m_state ^= m_state >> 7;
        m_state ^= m_state << 17;
        return m_state;
    }

private:
    u64 m_state = 0x9E37'79B9'7F4A'7C15;
};

/// How much of a workload there is.
struct Scale {
    usize churn_live;
    int churn_runs, lifo_runs, bulk_runs;
    int steps; ///< of a run
    usize bulk_blocks;
    u64 shift_bytes;
};
constexpr Scale full{16'384, 200, 100, 12, 50'000, 1'000'000, u64{64} << 20};
constexpr Scale small{1'024, 20, 20, 12, 5'000, 3'000, u64{2} << 20};

/// A block of `size` bytes, its first byte written.
void* taken(usize size) {
    void* const block = subject::take(size);
    if (block == nullptr) {
        std::fputs("out of memory\n", stderr);
        std::exit(3);
    }
    *static_cast<char volatile*>(block) = 1;
    return block;
}

/// Nanoseconds a step of the fastest of `runs` runs of `steps` steps.
template<class Body>
double fastest(int runs, u64 steps, Body const& body) {
    double best = 1e30;
    for (int run = 0; run < runs; ++run) {
        auto const start = std::chrono::steady_clock::now();
        body();
        std::chrono::duration<double, std::nano> const took =
            std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count() / static_cast<double>(steps));
    }
    return best;
}

double churn(Scale const& scale) {
    usize const live = scale.churn_live;
    std::span<void*> const blocks = table<void*>(live);
    Xorshift random;
    for (void*& block : blocks) {
        block = taken(16 + random.next() % 1009);
    }
    return fastest(scale.churn_runs, static_cast<u64>(scale.steps), [&] {
        for (int i = 0; i < scale.steps; ++i) {
            u64 const bits = random.next();
            void*& block = blocks[bits % live];
            subject::give(block);
            block = taken(16 + ((bits >> 32) * 1009 >> 32));
        }
    });
}

double lifo(Scale const& scale) {
    int const steps = 2 * scale.steps;
    return fastest(scale.lifo_runs, static_cast<u64>(steps), [steps] {
        for (int i = 0; i < steps; ++i) {
            void* volatile kept = taken(64); // through memory, as a program keeps it
            subject::give(kept);
        }
    });
}

double bulk(Scale const& scale) {
    std::span<void*> const blocks = table<void*>(scale.bulk_blocks);
    return fastest(scale.bulk_runs, blocks.size(), [&] {
        for (void*& block : blocks) {
            block = taken(48);
        }
        for (void* const block : blocks) {
            subject::give(block);
        }
    });
}

double remote(Scale const&) {
    constexpr usize slots = 1024;
    constexpr u64 objects = 2'000'000;
    std::span<std::atomic<void*>> const ring = table<std::atomic<void*>>(slots);
    double const pair = fastest(5, objects, [&] {
        std::thread consumer([&] {
            for (u64 i = 0; i < objects; ++i) {
                std::atomic<void*>& slot = ring[i % slots];
                void* block;
                while ((block = slot.load(std::memory_order_acquire)) == nullptr) {
                    __builtin_ia32_pause();
                }
                slot.store(nullptr, std::memory_order_release);
                subject::give(block);
            }
        });
        Xorshift random;
        for (u64 i = 0; i < objects; ++i) {
            void* const block = taken(16 + random.next() % 241);
            std::atomic<void*>& slot = ring[i % slots];
            while (slot.load(std::memory_order_relaxed) != nullptr) {
                __builtin_ia32_pause();
            }
            slot.store(block, std::memory_order_release);
        }
        consumer.join();
    });
    return 1e3 / pair;
}

u64 resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "r");
    u64 kib = 0;
    char line[256];
    while (file != nullptr && std::fgets(line, sizeof(line), file) != nullptr) {
        if (std::sscanf(line, "Rss: %lu", &kib) == 1) {
            break;
        }
    }
    if (file == nullptr || kib == 0) {
        std::abort();
    }
    std::fclose(file);
    return kib << 10;
}

double shift(Scale const& scale) {
    struct Block {
        void* start;
        u64 size;
    };
    struct Sizes {
        u64 least, most;
    };
    constexpr Sizes phases[] = {{16, 128}, {130, 256}, {500, 2000}, {16, 4000}};
    u64 const live_target = scale.shift_bytes;
    std::span<Block> const blocks = table<Block>(2'000'000);
    Random random(1);
    subject::give(taken(64));
    u64 const before = resident_bytes();
    usize count = 0;
    u64 live = 0;
    for (Sizes const& phase : phases) {
        for (usize i = count; i > 1; --i) { // what is given back is drawn at random
            std::swap(blocks[i - 1], blocks[random.below(i)]);
        }
        for (usize const kept = count / 10; count > kept;) {
            live -= blocks[--count].size;
            subject::give(blocks[count].start);
        }
        while (live < live_target) {
            u64 const size = random.between(phase.least, phase.most);
            blocks[count] = {taken(size), size};
            std::memset(blocks[count++].start, 1, size);
            live += size;
        }
    }
    return static_cast<double>(resident_bytes() - before) / static_cast<double>(live);
}

} // namespace

int main(int count, char** words) {
    struct Workload {
        std::string_view name;
        double (*run)(Scale const&);
    };
    constexpr Workload workloads[] = {
        {"churn", churn}, {"lifo", lifo}, {"bulk", bulk}, {"remote", remote}, {"shift", shift}};
    for (Workload const& one : workloads) {
        bool const is_small = count == 3 && std::string_view(words[2]) == "small";
        if ((count == 2 || is_small) && one.name == words[1]) {
            std::printf("%.6f\n", one.run(is_small ? small : full));
            return 0;
        }
    }
    std::fputs("usage: memory-workloads churn|lifo|bulk|remote|shift [small]\n", stderr);
    return 64;
}
