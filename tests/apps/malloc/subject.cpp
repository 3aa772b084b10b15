// A program to run on the malloc library: each mode tries one part of what a malloc promises, and
// the status is 0 if all of it held. Runs on any malloc; malloc_test.py preloads ours.
//
//     malloc_subject MODE
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

namespace {

using namespace malloc_subject;

int sizes() {
    std::map<std::uintptr_t, std::uintptr_t> taken; // begin -> end of what may be used
    std::vector<void*> blocks;
    auto const note = [&](void* block, std::size_t size, std::size_t alignment) {
        REQUIRE(block != nullptr);
        REQUIRE(aligned(block, alignment));
        std::size_t const usable = malloc_usable_size(block);
        REQUIRE(usable >= size);
        fill(block, usable, 0xA5); // all of it is ours
        auto const begin = std::bit_cast<std::uintptr_t>(block);
        auto const after = taken.lower_bound(begin);
        REQUIRE(after == taken.end() || after->first >= begin + std::max<std::size_t>(usable, 1));
        REQUIRE(after == taken.begin() || std::prev(after)->second <= begin);
        taken[begin] = begin + usable;
        blocks.push_back(block);
    };
    for (std::size_t size = 0; size <= 2100; ++size) {
        note(std::malloc(size), size, size >= 16 ? 16 : 1);
    }
    for (std::size_t size = 4096; size <= (std::size_t{16} << 20); size = size * 5 / 3) {
        note(std::malloc(size), size, 16);
    }
    for (std::size_t alignment = 1; alignment <= (std::size_t{1} << 21); alignment *= 2) {
        for (std::size_t const size :
             {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
            note(aligned_alloc(alignment, size), size, alignment);
            note(memalign(alignment, size), size, alignment);
            void* block = nullptr;
            bool const legal = alignment >= sizeof(void*);
            REQUIRE(posix_memalign(&block, alignment, size) == (legal ? 0 : EINVAL));
            if (legal) {
                note(block, size, alignment);
            }
        }
    }
    note(valloc(100), 100, page_bytes);
    note(pvalloc(100), page_bytes, page_bytes);
    for (void* const block : blocks) {
        REQUIRE(holds(block, malloc_usable_size(block), 0xA5));
        std::free(block);
    }
    REQUIRE(malloc_usable_size(nullptr) == 0);
    return 0;
}

int errors() {
    auto const refuses = [](auto&& call) {
        errno = 0;
        return call() == nullptr && errno == ENOMEM;
    };
    std::size_t const most = hidden(std::size_t{PTRDIFF_MAX});
    REQUIRE(refuses([&] { return std::malloc(most); }));
    REQUIRE(refuses([&] { return std::malloc(most + 1); }));
    REQUIRE(refuses([&] { return std::malloc(SIZE_MAX - hidden(std::size_t{0})); }));
    REQUIRE(refuses([&] { return std::calloc(most, 3); }));
    REQUIRE(refuses([&] { return std::calloc(most, 1); }));
    REQUIRE(refuses([&] { return aligned_alloc(64, most); }));
    REQUIRE(refuses([&] { return valloc(most); }));
    REQUIRE(refuses([&] { return pvalloc(hidden(SIZE_MAX)); }));
    void* block = std::malloc(100);
    fill(block, 100, 7);
    REQUIRE(refuses([&] { return std::realloc(block, most); }));
    REQUIRE(refuses([&] { return reallocarray(block, most, 4); }));
    REQUIRE(holds(block, 100, 7)); // a refused resize leaves the block alone
    void* untouched = &block;
    errno = 99;
    REQUIRE(posix_memalign(&untouched, 64, most) == ENOMEM && untouched == &block && errno == 99);
    REQUIRE(posix_memalign(&untouched, 24, 8) == EINVAL && untouched == &block && errno == 99);
    std::free(nullptr);
    std::free(block);
    REQUIRE(errno == 99); // free changes nothing
    REQUIRE(hidden(std::realloc(std::malloc(10), hidden(std::size_t{0}))) == nullptr);
    void* const first = hidden(std::malloc(0));
    void* const second = hidden(std::malloc(0));
    REQUIRE(first != nullptr && second != nullptr && first != second);
    std::free(first);
    std::free(second);
    return 0;
}

int contents() {
    std::mt19937 random(3);
    struct Block {
        unsigned char* bytes;
        std::size_t size;
        unsigned char stamp;
    };
    std::vector<Block> blocks;
    for (int step = 0; step < 200'000; ++step) {
        std::size_t const size = 1 + (random() % 500 == 0 ? random() % 3'000'000 : random() % 3000);
        auto const stamp = static_cast<unsigned char>(random());
        if (blocks.size() < 200 || random() % 3 == 0) {
            bool const zeroed = random() % 2 == 0;
            auto* const bytes =
                static_cast<unsigned char*>(zeroed ? std::calloc(size, 1) : std::malloc(size));
            REQUIRE(bytes != nullptr && (!zeroed || holds(bytes, size, 0)));
            fill(bytes, size, stamp);
            blocks.push_back({bytes, size, stamp});
            continue;
        }
        Block& block = blocks[random() % blocks.size()];
        REQUIRE(holds(block.bytes, block.size, block.stamp));
        if (random() % 2 == 0) {
            block.bytes = static_cast<unsigned char*>(std::realloc(block.bytes, size));
            REQUIRE(block.bytes != nullptr);
            REQUIRE(holds(block.bytes, std::min(size, block.size), block.stamp));
            fill(block.bytes, size, stamp);
            block.size = size;
            block.stamp = stamp;
        } else {
            std::free(block.bytes);
            block = blocks.back();
            blocks.pop_back();
        }
    }
    for (Block const& block : blocks) {
        REQUIRE(holds(block.bytes, block.size, block.stamp));
        std::free(block.bytes);
    }
    char* const text = strdup("duplicate");
    REQUIRE(malloc_usable_size(text) >= 10 && std::strcmp(text, "duplicate") == 0);
    std::free(text);
    char* line = nullptr;
    REQUIRE(asprintf(&line, "%d", 12345) == 5 && std::strcmp(line, "12345") == 0);
    std::free(line);
    return 0;
}

struct alignas(256) Wide {
    std::array<char, 300> bytes;
};

int g_handler_calls = 0;

int operators() {
    std::unique_ptr<int> const one(hidden(new int(1)));
    std::unique_ptr<int[]> const many(hidden(new int[1000]));
    std::unique_ptr<Wide> const wide(hidden(new Wide));
    std::unique_ptr<Wide[]> const row(hidden(new Wide[7]));
    REQUIRE(aligned(wide.get(), 256) && aligned(row.get(), 256));
    REQUIRE(malloc_usable_size(many.get()) >= 1000 * sizeof(int));
    void* block = ::operator new(100, std::align_val_t{4096});
    REQUIRE(aligned(block, 4096));
    ::operator delete(block, 100, std::align_val_t{4096});
    block = ::operator new[](10, std::nothrow);
    ::operator delete[](block, std::nothrow);
    block = ::operator new(10, std::align_val_t{64}, std::nothrow);
    ::operator delete(block, std::align_val_t{64}, std::nothrow);
    ::operator delete(hidden(static_cast<void*>(nullptr)));
    std::size_t const most = hidden(std::size_t{PTRDIFF_MAX});
    REQUIRE(::operator new(most, std::nothrow) == nullptr);
    REQUIRE(::operator new[](most, std::align_val_t{64}, std::nothrow) == nullptr);
    int caught = 0;
    auto const refuses = [&](auto&& request) {
        try {
            request();
        } catch (std::bad_alloc const&) {
            ++caught;
        }
    };
    constexpr std::align_val_t line{64};
    refuses([&] { ::operator delete(hidden(::operator new(most))); });
    refuses([&] { ::operator delete[](hidden(::operator new[](most))); });
    refuses([&] { ::operator delete(hidden(::operator new(most, line)), line); });
    refuses([&] { ::operator delete[](hidden(::operator new[](most, line)), line); });
    REQUIRE(caught == 4);
    std::set_new_handler([] {
        if (++g_handler_calls == 3) {
            std::set_new_handler(nullptr);
        }
    });
    try {
        ::operator delete(::operator new(most));
        REQUIRE(false);
    } catch (std::bad_alloc const&) {
        REQUIRE(g_handler_calls == 3);
    }
    return 0;
}

/// With little address space the heap is smaller, and says so by null.
int limits() {
    rlimit const limit{std::size_t{512} << 20, std::size_t{512} << 20};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    execl("/proc/self/exe", "malloc_subject", "fills", static_cast<char*>(nullptr));
    return 1;
}

int fills() {
    constexpr std::size_t block_bytes = std::size_t{1} << 20;
    std::array<void*, 4096> blocks;
    std::size_t count = 0;
    errno = 0;
    while (count < blocks.size() && (blocks[count] = std::malloc(block_bytes)) != nullptr) {
        fill(blocks[count], page_bytes, static_cast<unsigned char>(count));
        ++count;
    }
    REQUIRE(count >= 100 && count < 512 && errno == ENOMEM);
    for (std::size_t i = 0; i < count; ++i) {
        REQUIRE(holds(blocks[i], page_bytes, static_cast<unsigned char>(i)));
        std::free(blocks[i]);
    }
    void* const again = std::malloc(50 * block_bytes);
    REQUIRE(again != nullptr);
    std::free(again);
    return 0;
}

int misuses(std::string_view how) {
    auto* const block = static_cast<char*>(hidden(std::malloc(100)));
    if (how == "twice") {
        std::free(hidden(block));
        std::free(hidden(block));
    } else if (how == "inside") {
        std::free(hidden(block + 16));
    } else if (how == "foreign") {
        std::array<char, 64> local{};
        std::free(hidden(static_cast<void*>(&local[16])));
    } else if (how == "resize") {
        std::free(hidden(block));
        std::free(std::realloc(hidden(block), 50));
    }
    return 0;
}

/// The file that malloc comes from.
int where() {
    Dl_info found{};
    void* const function = dlsym(RTLD_DEFAULT, "malloc");
    REQUIRE(function != nullptr && dladdr(function, &found) != 0);
    return std::puts(found.dli_fname) < 0 ? 1 : 0;
}

} // namespace

int main(int count, char** arguments) {
    std::map<std::string_view, int (*)()> const modes = {
        {"sizes", sizes},         {"errors", errors},   {"contents", contents},
        {"operators", operators}, {"forks", forks},     {"short-lives", short_lives},
        {"many", many_threads},   {"orphans", orphans}, {"ends", ends},
        {"limits", limits},       {"fills", fills},     {"where", where},
    };
    std::string_view const mode = count > 1 ? arguments[1] : "";
    if (mode == "exec") {
        return forks_and_execs(arguments[0]);
    }
    if (mode == "misuse" && count > 2) {
        return misuses(arguments[2]);
    }
    auto const found = modes.find(mode);
    return found == modes.end() ? 64 : found->second();
}
