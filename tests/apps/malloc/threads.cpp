// The heap of the malloc library under threads, called by its own functions beside the host's
// malloc: so that a sanitizer, which brings a malloc of its own, can watch. Status 0 if all
// contents were right; ThreadSanitizer makes a race a status of its own.
#include "apps/malloc/process_heap.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace {

namespace library = twofold::malloc_library;

constexpr std::size_t slots = 256;
constexpr int thread_count = 4;
constexpr int rounds = 5'000;
constexpr int lives = 40;

struct Shared {
    std::atomic<unsigned char*> block; ///< the first eight bytes hold its size
};
std::vector<Shared> g_slots(slots);

void require(bool holds, char const* what) {
    if (!holds) {
        std::fprintf(stderr, "malloc_threads: %s\n", what);
        std::_Exit(1);
    }
}

unsigned char* make(std::size_t size, unsigned char stamp) {
    auto* const block = static_cast<unsigned char*>(
        stamp % 2 == 0 ? library::allocate(size) : library::allocate_zeroed(size));
    require(block != nullptr, "no memory");
    require(stamp % 2 == 0 || block[size - 1] == 0, "a zeroed block is not zero");
    std::memset(block, stamp, size);
    std::memcpy(block, &size, sizeof(size));
    return block;
}

void verify_and_free(unsigned char* block) {
    if (block == nullptr) {
        return;
    }
    std::size_t size = 0;
    std::memcpy(&size, block, sizeof(size));
    unsigned char const stamp = block[sizeof(size)];
    for (std::size_t i = sizeof(size); i < size; ++i) {
        require(block[i] == stamp, "a block does not hold what was written");
    }
    library::free(block);
}

/// Puts blocks into slots that all threads share, and frees what it finds there, whoever made it.
void exchange(unsigned seed) {
    for (int round = 0; round < rounds; ++round) {
        seed = seed * 1'664'525 + 1'013'904'223;
        std::size_t const size = 16 + (seed >> 8) % (round % 64 == 0 ? 40'000 : 700);
        auto* block = make(size, static_cast<unsigned char>(seed >> 20));
        if (round % 16 == 0) {
            block = static_cast<unsigned char*>(library::resize(block, size + 500));
            std::size_t const larger = size + 500;
            std::memset(block + size, block[sizeof(size)], larger - size);
            std::memcpy(block, &larger, sizeof(larger));
        }
        verify_and_free(g_slots[(seed >> 4) % slots].block.exchange(block));
    }
}

} // namespace

int main() {
    for (int life = 0; life < lives; life += thread_count) { // threads end; their blocks stay
        std::vector<std::thread> threads;
        for (int i = 0; i < thread_count; ++i) {
            threads.emplace_back(exchange, static_cast<unsigned>(life + i));
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    for (Shared& slot : g_slots) {
        verify_and_free(slot.block.exchange(nullptr));
    }
    auto* const heap = library::enter_heap();
    require(heap != nullptr && heap->verify().has_value(), "the heap's structures disagree");
    return 0;
}
