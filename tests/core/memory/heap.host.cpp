// The heap in a Linux process: ten million random operations against a model of intervals, and
// host threads that free each other's blocks. The same source is a program for ThreadSanitizer.
#include "core/memory/memory.hpp"
#include "tests/support/host_heap.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <thread>
#include <vector>

namespace twofold::memory::testing {
namespace {

#ifdef NDEBUG
constexpr u64 model_operations = 10'000'000;
constexpr u64 thread_operations = 400'000;
#else
constexpr u64 model_operations = 400'000;
constexpr u64 thread_operations = 40'000;
#endif

struct Block {
    u64 size;
    u64 key;
};

/// Both ends of a block carry its key.
void mark(std::byte* start, Block const& block) {
    std::memset(start, static_cast<int>(block.key), std::min<u64>(block.size, 24));
    start[block.size - 1] = static_cast<std::byte>(block.key);
}
bool is_marked(std::byte const* start, Block const& block) {
    auto const key = static_cast<std::byte>(block.key);
    return start[0] == key && start[std::min<u64>(block.size, 24) - 1] == key &&
           start[block.size - 1] == key;
}

TEST(Heap, MillionsOfOperationsAgreeWithAMapOfIntervals) {
    HostHeap host;
    Random random(20);
    std::map<std::byte*, Block> model;
    std::vector<std::byte*> addresses;
    u64 const rounds = model_operations;
    for (u64 i = 0; i < rounds; ++i) {
        u64 const target = 2000 + 1900 * (i / 500'000 % 2); // grow and shrink by turns
        bool const allocate = addresses.empty() || random.below(2 * target) >= addresses.size();
        if (allocate) {
            u64 const size = 1 + random.below(random.below(16) == 0 ? 20'000 : 700);
            u64 const alignment = random.below(32) == 0 ? u64{1} << random.below(13) : 16;
            Result<std::byte*> const block = host.heap.allocate({size}, {alignment});
            ASSERT_TRUE(block.has_value());
            std::byte* const address = block.value();
            ASSERT_EQ(heap::address_of(address) % alignment, 0u);
            auto const next = model.lower_bound(address);
            ASSERT_TRUE(next == model.end() || address + size <= next->first);
            ASSERT_TRUE(
                next == model.begin() ||
                std::prev(next)->first + std::prev(next)->second.size <= address);
            Block const entered{size, random.below(256)};
            model.emplace_hint(next, address, entered);
            addresses.push_back(address);
            mark(address, entered);
        } else {
            std::swap(addresses[random.below(addresses.size())], addresses.back());
            auto const found = model.find(addresses.back());
            ASSERT_TRUE(is_marked(found->first, found->second));
            ASSERT_TRUE(host.heap.free(found->first).has_value());
            model.erase(found);
            addresses.pop_back();
        }
        if (i % (rounds / 20) == 0) {
            ASSERT_TRUE(host.heap.verify().has_value());
        }
    }
    u64 live = 0;
    for (auto const& [address, block] : model) {
        live += block.size;
        ASSERT_TRUE(host.heap.free(address).has_value());
    }
    EXPECT_GT(live, 0u);
    host.heap.trim();
    EXPECT_TRUE(host.heap.verify().has_value());
    EXPECT_EQ(host.heap.statistics().reserved.value, 0u);
    HostEnvironment::reset();
}

/// Threads that allocate, put blocks into shared places and free what another put there.
TEST(Heap, ThreadsFreeEachOthersBlocks) {
    HostHeap host;
    std::array<std::atomic<std::byte*>, 512> places{};
    std::atomic<u64> wrong{0};
    auto const work = [&](u64 seed) {
        Random random(seed);
        for (u64 i = 0; i < thread_operations; ++i) {
            u64 const size = 8 + random.below(random.below(64) == 0 ? 9000 : 1100);
            Result<std::byte*> const block = host.heap.allocate({size}, {16});
            if (!block) {
                ++wrong;
                continue;
            }
            std::memset(block.value(), 0x5a, 8);
            std::byte* const other = places[random.below(places.size())].exchange(
                block.value(), std::memory_order_acq_rel);
            if (other != nullptr) {
                wrong += other[0] != std::byte{0x5a} || other[7] != std::byte{0x5a} ? 1 : 0;
                std::memset(other, 0, 8);
                wrong += host.heap.free(other).has_value() ? 0 : 1;
            }
        }
        host.heap.detach();
    };
    for (int round = 0; round < 3; ++round) { // caches of threads that ended serve the next
        std::vector<std::thread> threads;
        for (u64 seed = 1; seed <= 4; ++seed) {
            threads.emplace_back(work, seed + static_cast<u64>(round));
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        ASSERT_EQ(wrong.load(), 0u);
        ASSERT_TRUE(host.heap.verify().has_value());
    }
    for (std::atomic<std::byte*>& place : places) {
        if (std::byte* const block = place.load()) {
            ASSERT_TRUE(host.heap.free(block).has_value());
        }
    }
    host.heap.trim();
    EXPECT_TRUE(host.heap.verify().has_value());
    EXPECT_EQ(host.heap.statistics().reserved.value, 0u);
    HostEnvironment::reset();
}

} // namespace
} // namespace twofold::memory::testing
