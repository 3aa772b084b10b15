// operator new and delete. What cannot be served goes to the C++ library's own operator, which asks
// the program's new handler and throws; it is looked up then, so that a C program never meets a C++
// library.
#include "apps/malloc/process_heap.hpp"

#include <cstdlib>
#include <dlfcn.h>
#include <new>

namespace {

using namespace twofold;
namespace library = twofold::malloc_library;

/// The next definition of an operator behind this library.
template<class Function>
Function* next_operator(char const* mangled) {
    void* const found = dlsym(RTLD_NEXT, mangled);
    if (found == nullptr) {
        std::abort(); // nobody who could throw
    }
    return std::bit_cast<Function*>(found);
}

[[gnu::noinline]] void* allocate_by_next(usize size) {
    return next_operator<void*(usize)>("_Znwm")(size);
}

[[gnu::noinline]] void* allocate_aligned_by_next(usize size, std::align_val_t alignment) {
    return next_operator<void*(usize, std::align_val_t)>("_ZnwmSt11align_val_t")(size, alignment);
}

[[gnu::noinline]] void* try_by_next(usize size, std::nothrow_t const& tag) {
    return next_operator<void*(usize, std::nothrow_t const&)>("_ZnwmRKSt9nothrow_t")(size, tag);
}

[[gnu::noinline]] void*
try_aligned_by_next(usize size, std::align_val_t alignment, std::nothrow_t const& tag) {
    return next_operator<void*(usize, std::align_val_t, std::nothrow_t const&)>(
        "_ZnwmSt11align_val_tRKSt9nothrow_t")(size, alignment, tag);
}

[[gnu::noinline]] void* try_allocate_slowly(usize size) {
    return size > library::size_max ? nullptr : library::allocate(size);
}

[[gnu::always_inline]] inline void* try_allocate(usize size) {
    void* const block = library::allocate_quickly(size);
    return block != nullptr ? block : try_allocate_slowly(size);
}

[[gnu::always_inline]] inline void give_back(void* block) {
    if (!library::free_quickly(block)) [[unlikely]] {
        library::free(block);
    }
}

[[gnu::always_inline]] inline void* try_allocate(usize size, std::align_val_t alignment) {
    auto const bytes = static_cast<usize>(alignment);
    return size > library::size_max || !is_power_of_two(bytes)
               ? nullptr
               : library::allocate_aligned(bytes, size);
}

} // namespace

#define TWOFOLD_EXPORT [[gnu::visibility("default")]]

TWOFOLD_EXPORT void* operator new(std::size_t size) {
    void* const block = try_allocate(size);
    return block != nullptr ? block : allocate_by_next(size);
}
TWOFOLD_EXPORT void* operator new[](std::size_t size) {
    void* const block = try_allocate(size);
    return block != nullptr ? block : allocate_by_next(size);
}
TWOFOLD_EXPORT void* operator new(std::size_t size, std::nothrow_t const& tag) noexcept {
    void* const block = try_allocate(size);
    return block != nullptr ? block : try_by_next(size, tag);
}
TWOFOLD_EXPORT void* operator new[](std::size_t size, std::nothrow_t const& tag) noexcept {
    void* const block = try_allocate(size);
    return block != nullptr ? block : try_by_next(size, tag);
}
TWOFOLD_EXPORT void* operator new(std::size_t size, std::align_val_t alignment) {
    void* const block = try_allocate(size, alignment);
    return block != nullptr ? block : allocate_aligned_by_next(size, alignment);
}
TWOFOLD_EXPORT void* operator new[](std::size_t size, std::align_val_t alignment) {
    void* const block = try_allocate(size, alignment);
    return block != nullptr ? block : allocate_aligned_by_next(size, alignment);
}
TWOFOLD_EXPORT void*
operator new(std::size_t size, std::align_val_t alignment, std::nothrow_t const& tag) noexcept {
    void* const block = try_allocate(size, alignment);
    return block != nullptr ? block : try_aligned_by_next(size, alignment, tag);
}
TWOFOLD_EXPORT void*
operator new[](std::size_t size, std::align_val_t alignment, std::nothrow_t const& tag) noexcept {
    void* const block = try_allocate(size, alignment);
    return block != nullptr ? block : try_aligned_by_next(size, alignment, tag);
}

// A size or an alignment tells the heap nothing that it does not know.
TWOFOLD_EXPORT void operator delete(void* block) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete[](void* block) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete(void* block, std::nothrow_t const&) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete[](void* block, std::nothrow_t const&) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete(void* block, std::size_t) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete[](void* block, std::size_t) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete(void* block, std::align_val_t) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete[](void* block, std::align_val_t) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete[](void* block, std::size_t, std::align_val_t) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void operator delete(void* block, std::align_val_t, std::nothrow_t const&) noexcept {
    give_back(block);
}
TWOFOLD_EXPORT void
operator delete[](void* block, std::align_val_t, std::nothrow_t const&) noexcept {
    give_back(block);
}
