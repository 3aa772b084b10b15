// The functions of C and POSIX, with their errors: what LD_PRELOAD puts in the place of the C
// library's.
#include "apps/malloc/process_heap.hpp"

#include <cerrno>
#include <malloc.h>
#include <unistd.h>

namespace {

using namespace twofold;
namespace library = twofold::malloc_library;

void* or_no_memory(void* block) {
    if (block == nullptr) [[unlikely]] {
        errno = ENOMEM;
    }
    return block;
}

/// At most size_max, or refused.
bool too_large(usize size) {
    if (size > library::size_max) [[unlikely]] {
        errno = ENOMEM;
        return true;
    }
    return false;
}

[[gnu::noinline]] void* malloc_slowly(usize size) {
    return too_large(size) ? nullptr : or_no_memory(library::allocate(size));
}

usize page_bytes() {
    return static_cast<usize>(sysconf(_SC_PAGESIZE));
}

} // namespace

#define TWOFOLD_EXPORT [[gnu::visibility("default")]]

extern "C" {

TWOFOLD_EXPORT void* malloc(size_t size) noexcept {
    if (void* const block = library::allocate_quickly(size)) [[likely]] {
        return block;
    }
    return malloc_slowly(size);
}

TWOFOLD_EXPORT void free(void* block) noexcept {
    if (!library::free_quickly(block)) [[unlikely]] {
        library::free(block);
    }
}

TWOFOLD_EXPORT void* calloc(size_t count, size_t size) noexcept {
    usize total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return too_large(total) ? nullptr : or_no_memory(library::allocate_zeroed(total));
}

/// A size of 0 frees the block and returns null, as glibc has it.
TWOFOLD_EXPORT void* realloc(void* block, size_t size) noexcept {
    if (block == nullptr) {
        return malloc(size);
    }
    if (size == 0) {
        library::free(block);
        return nullptr;
    }
    return too_large(size) ? nullptr : or_no_memory(library::resize(block, size));
}

TWOFOLD_EXPORT void* reallocarray(void* block, size_t count, size_t size) noexcept {
    usize total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(block, total);
}

TWOFOLD_EXPORT void* memalign(size_t alignment, size_t size) noexcept {
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return nullptr;
    }
    return too_large(size) || too_large(alignment)
               ? nullptr
               : or_no_memory(library::allocate_aligned(alignment, size));
}

TWOFOLD_EXPORT void* aligned_alloc(size_t alignment, size_t size) noexcept {
    return memalign(alignment, size);
}

/// Says what is wrong by its result; errno is as it was.
TWOFOLD_EXPORT int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
    if (!is_power_of_two(alignment) || alignment % sizeof(void*) != 0) {
        return EINVAL;
    }
    int const error = errno;
    void* const block = memalign(alignment, size);
    errno = error;
    if (block == nullptr) {
        return ENOMEM;
    }
    *result = block;
    return 0;
}

TWOFOLD_EXPORT void* valloc(size_t size) noexcept {
    return memalign(page_bytes(), size);
}

TWOFOLD_EXPORT void* pvalloc(size_t size) noexcept {
    usize const page = page_bytes();
    if (too_large(size)) {
        return nullptr;
    }
    return memalign(page, align_up(size + (size == 0), page));
}

TWOFOLD_EXPORT size_t malloc_usable_size(void* block) noexcept {
    return library::usable_size(block);
}

/// Gives memory back to the host; how much to keep (`pad`) is the heap's own affair.
TWOFOLD_EXPORT int malloc_trim(size_t) noexcept {
    library::trim();
    return 1;
}

} // extern "C"
