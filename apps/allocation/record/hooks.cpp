// The allocation functions of C, interposed: each passes its request on to the allocator behind it
// and tells the recorder. operator new and delete come here by way of malloc and free, as libstdc++
// has them.
#include "apps/allocation/record/real.hpp"
#include "apps/allocation/record/recorder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <unistd.h>

namespace {

using namespace twofold;
using namespace twofold::allocation;

/// What the loader asks for while it looks the allocator up: never given back.
class EarlyMemory {
public:
    void* take(usize size) {
        usize const rounded = (size + alignment - 1) / alignment * alignment;
        if (size > m_bytes.size() || rounded > m_bytes.size() - m_used) {
            errno = ENOMEM;
            return nullptr;
        }
        void* const block = &m_bytes[m_used];
        m_used += rounded;
        return block;
    }
    bool owns(void const* block) const {
        auto const address = std::bit_cast<u64>(block);
        auto const begin = std::bit_cast<u64>(m_bytes.data());
        return address >= begin && address - begin < m_bytes.size();
    }
    /// How much can be read from a block of the arena on.
    usize bytes_behind(void const* block) const {
        return m_bytes.size() - (std::bit_cast<u64>(block) - std::bit_cast<u64>(m_bytes.data()));
    }

private:
    static constexpr usize alignment = 16;
    alignas(alignment) std::array<std::byte, 65536> m_bytes{};
    usize m_used = 0;
};

constinit EarlyMemory g_early;

template<class Allocate>
void* allocate(EventKind kind, usize size, usize alignment, Allocate&& call) {
    RealAllocator const* const real = real_allocator();
    if (real == nullptr) {
        return g_early.take(size);
    }
    if (!is_recording()) {
        return call(*real);
    }
    InsideAllocator const inside;
    void* const block = call(*real);
    int const error = errno;
    record_allocation(kind, block, size, alignment);
    errno = error;
    return block;
}

void* allocate_aligned(usize alignment, usize size) {
    return allocate(EventKind::allocate_aligned, size, alignment, [&](RealAllocator const& real) {
        return real.memalign(alignment, size);
    });
}

usize page_bytes() {
    return static_cast<usize>(sysconf(_SC_PAGESIZE));
}

} // namespace

extern "C" {

[[gnu::visibility("default")]] void* malloc(size_t size) noexcept {
    return allocate(
        EventKind::allocate, size, 1, [&](RealAllocator const& real) { return real.malloc(size); });
}

[[gnu::visibility("default")]] void* calloc(size_t count, size_t size) noexcept {
    usize total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return allocate(EventKind::allocate_zeroed, total, 1, [&](RealAllocator const& real) {
        return real.calloc(count, size);
    });
}

[[gnu::visibility("default")]] void free(void* block) noexcept {
    RealAllocator const* const real = real_allocator();
    if (block == nullptr || real == nullptr || g_early.owns(block)) {
        return;
    }
    if (!is_recording()) {
        real->free(block);
        return;
    }
    InsideAllocator const inside;
    int const error = errno;
    record_release(block);
    errno = error;
    real->free(block);
}

[[gnu::visibility("default")]] void* realloc(void* block, size_t size) noexcept {
    if (block == nullptr) {
        return malloc(size);
    }
    if (g_early.owns(block)) { // its size is not known, so what lies behind it is copied too
        void* const moved = malloc(size);
        if (moved != nullptr) {
            std::memcpy(moved, block, std::min(size, g_early.bytes_behind(block)));
        }
        return moved;
    }
    RealAllocator const* const real = real_allocator();
    if (real == nullptr || !is_recording()) {
        return real == nullptr ? nullptr : real->realloc(block, size);
    }
    InsideAllocator const inside;
    if (size == 0) { // glibc's and its peers' realloc to nothing is a release
        record_release(block);
        return real->realloc(block, 0);
    }
    LiveBlock const before = begin_resize(block);
    void* const now = real->realloc(block, size);
    int const error = errno;
    end_resize(before, now, size);
    errno = error;
    return now;
}

[[gnu::visibility("default")]] void* reallocarray(void* block, size_t count, size_t size) noexcept {
    usize total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(block, total);
}

[[gnu::visibility("default")]] void* memalign(size_t alignment, size_t size) noexcept {
    return allocate_aligned(alignment, size);
}

[[gnu::visibility("default")]] void* aligned_alloc(size_t alignment, size_t size) noexcept {
    return allocate_aligned(alignment, size);
}

[[gnu::visibility("default")]] int
posix_memalign(void** result, size_t alignment, size_t size) noexcept {
    if (alignment % sizeof(void*) != 0 || !std::has_single_bit(alignment)) {
        return EINVAL;
    }
    int const error = errno;
    void* const block = allocate_aligned(alignment, size);
    errno = error;
    if (block == nullptr) {
        return ENOMEM;
    }
    *result = block;
    return 0;
}

[[gnu::visibility("default")]] void* valloc(size_t size) noexcept {
    return allocate_aligned(page_bytes(), size);
}

[[gnu::visibility("default")]] void* pvalloc(size_t size) noexcept {
    usize const page = page_bytes();
    if (size > SIZE_MAX - page) {
        errno = ENOMEM;
        return nullptr;
    }
    return allocate_aligned(page, (size + page - 1) / page * page);
}

} // extern "C"
