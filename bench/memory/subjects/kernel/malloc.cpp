// The kernel's heap as malloc and its family, so that the replayer can preload it: the `kernel` row
// of the traces. Only what a replay asks for; the library for programs is apps/malloc.
#include "bench/memory/subjects/kernel/subject.hpp"

#include <cstring>

#define EXPORTED extern "C" [[gnu::visibility("default")]]

EXPORTED void* malloc(std::size_t size) noexcept;
EXPORTED void free(void* block) noexcept;
EXPORTED void* calloc(std::size_t count, std::size_t size) noexcept;
EXPORTED void* realloc(void* block, std::size_t size) noexcept;
EXPORTED void* memalign(std::size_t alignment, std::size_t size) noexcept;
EXPORTED std::size_t malloc_usable_size(void* block) noexcept;

void* malloc(std::size_t size) noexcept {
    return subject::take(size + (size == 0));
}

void free(void* block) noexcept {
    if (block != nullptr) {
        subject::give(block);
    }
}

void* calloc(std::size_t count, std::size_t size) noexcept {
    std::size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        return nullptr;
    }
    void* const block = malloc(total);
    return block != nullptr ? std::memset(block, 0, total) : nullptr;
}

void* realloc(void* block, std::size_t size) noexcept {
    return block == nullptr ? malloc(size) : subject::resize(block, size + (size == 0));
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    return subject::take_aligned(size + (size == 0), alignment);
}

std::size_t malloc_usable_size(void* block) noexcept {
    return block == nullptr ? 0 : subject::usable_size(block);
}
