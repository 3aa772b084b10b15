// The one heap of a process, and what the functions of malloc's family do with it. Their names and
// errno are malloc.cpp's, operator new is new.cpp's; here are plain functions, which tests can call
// beside the host's own malloc.
#pragma once

#include "apps/malloc/backing.hpp"
#include "apps/malloc/environment.hpp"
#include "core/memory/heap/heap.hpp"

namespace twofold::malloc_library {

using ProcessHeap = memory::Heap<PrivateBacking, ThreadEnvironment>;

/// Requests above are refused: the difference of two pointers into a block must fit into ptrdiff_t.
inline constexpr usize size_max = PTRDIFF_MAX;

namespace detail {
/// Null until the first allocation of the process.
extern Atomic<ProcessHeap*> g_heap;
} // namespace detail

/// Builds the heap if there is none, and makes the calling thread known, so that its cache is given
/// up when it ends. Null if the host has no addresses. Any thread, at any time of the process's
/// life.
ProcessHeap* enter_heap();

/// The heap, ready for the calling thread; null if there is none to be had.
[[gnu::always_inline]] inline ProcessHeap* ready_heap() {
    return t_thread.cache != nullptr ? detail::g_heap.load(relaxed) : enter_heap();
}

/// After an operation of a thread whose end was told already: it keeps nothing.
void leave_heap();

/// A program freed what is not its to free: says so in one line and ends the process.
[[noreturn]] void report_misuse(char const* operation, void const* block, Error error);

/// A block of `size` bytes from the calling thread's cache, or null: then `allocate` helps. A
/// thread whose end was told has no cache between its calls.
[[gnu::always_inline]] inline void* allocate_quickly(usize size) {
    void* const cache = t_thread.cache;
    return cache != nullptr ? ProcessHeap::allocate_from(cache, Bytes{size}) : nullptr;
}
/// A block of at least `size` bytes (0 counts as 1), 16-byte aligned; null if there is no memory.
void* allocate(usize size);

/// Lets the calling thread's cache have a block, or false: then `free` helps.
[[gnu::always_inline]] inline bool free_quickly(void* block) {
    void* const cache = t_thread.cache;
    return cache != nullptr && ProcessHeap::free_to(cache, static_cast<std::byte*>(block));
}
/// Gives a block back; null is none.
void free(void* block);

/// As allocate, filled with zeros.
void* allocate_zeroed(usize size);
/// At a multiple of `alignment`, a power of two.
void* allocate_aligned(usize alignment, usize size);
/// `block` with another size, moved if need be; null if there is no memory, and the block is as it
/// was. Neither is null or 0.
void* resize(void* block, usize size);
/// How many bytes of a block may be used; 0 for null.
usize usable_size(void* block);
/// Gives the host back what is not in use.
void trim();

} // namespace twofold::malloc_library
