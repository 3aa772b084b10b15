// The life of the process's heap: first use, threads, fork. See process_heap.hpp.
#include "apps/malloc/process_heap.hpp"

#include <cstdlib>
#include <cstring>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>

namespace twofold::malloc_library {

namespace detail {
constinit Atomic<ProcessHeap*> g_heap;
} // namespace detail

namespace {

/// From here on a zeroed block is often a table of which little is used: pages that nobody touches
/// cost nothing.
constexpr usize lazy_zero_bytes_min = usize{1} << 20;

constinit PrivateBacking g_backing;
constinit ThreadEnvironment g_environment;
constinit HostLock g_birth;                ///< held while the heap is built
constinit Atomic<bool> g_threads_are_told; ///< whether g_thread_end exists
constinit pthread_key_t g_thread_end = 0;

/// How often the destructor of a thread's end asks to be called again, so that it runs behind those
/// of others, which free memory too. The last call of all is left to ThreadSanitizer, behind whose
/// own end nothing may run.
constexpr usize last_round = PTHREAD_DESTRUCTOR_ITERATIONS - 2;
constinit std::array<char, last_round + 1> g_rounds{}; ///< addresses that count the rounds

void on_thread_end(void* value) {
    usize const round = static_cast<usize>(static_cast<char*>(value) - g_rounds.data());
    if (round < last_round && pthread_setspecific(g_thread_end, &g_rounds[round + 1]) == 0) {
        return;
    }
    t_thread.ended = true;
    leave_heap();
}

// A fork copies the memory as it is, and no thread but the caller's: with the lock held, the heap
// behind the caches is whole. The caches of the other threads may be in the middle of a step; the
// child leaves them alone for ever, and what rests in them is lost to it.

void before_fork() {
    g_environment.lock();
}

void after_fork_in_parent() {
    g_environment.unlock();
}

void after_fork_in_child() {
    g_environment.release_in_child();
}

ProcessHeap* build_heap() {
    g_birth.lock();
    ProcessHeap* heap = detail::g_heap.load(acquire);
    if (heap == nullptr && g_backing.reserve()) {
        auto const made = ProcessHeap::create(g_backing, g_environment);
        heap = made ? made.value() : nullptr;
        detail::g_heap.store(heap, release);
    }
    g_birth.unlock();
    return heap;
}

/// What the heap needs of the C library. Not while the heap is built: the calls may allocate. The
/// loader runs it before the program has a second thread.
[[gnu::constructor]] void tell_threads_and_forks() {
    if (!g_threads_are_told.load(relaxed)) {
        g_threads_are_told.store(pthread_key_create(&g_thread_end, on_thread_end) == 0, release);
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    }
}

} // namespace

ProcessHeap* enter_heap() {
    ProcessHeap* heap = detail::g_heap.load(acquire);
    if (heap == nullptr) [[unlikely]] {
        heap = build_heap();
    }
    if (!t_thread.known && g_threads_are_told.load(acquire)) {
        t_thread.known = true; // first: the call may allocate
        pthread_setspecific(g_thread_end, &g_rounds[0]);
    }
    return heap;
}

void leave_heap() {
    if (ProcessHeap* const heap = detail::g_heap.load(acquire)) {
        heap->detach();
    }
}

void* allocate(usize size) {
    ProcessHeap* const heap = ready_heap();
    if (heap == nullptr) [[unlikely]] {
        return nullptr;
    }
    auto const block = heap->allocate(Bytes{size + (size == 0)});
    if (t_thread.ended) [[unlikely]] {
        leave_heap();
    }
    return block ? block.value() : nullptr;
}

void free(void* block) {
    if (block == nullptr) {
        return;
    }
    ProcessHeap* const heap = ready_heap();
    auto const freed = heap == nullptr ? Result<void>(Error::out_of_range)
                                       : heap->free(static_cast<std::byte*>(block));
    if (!freed) [[unlikely]] {
        report_misuse("free", block, freed.error());
    }
    if (t_thread.ended) [[unlikely]] {
        leave_heap();
    }
}

void* allocate_zeroed(usize size) {
    auto* block = static_cast<std::byte*>(allocate_quickly(size));
    if (block == nullptr) {
        block = static_cast<std::byte*>(allocate(size));
    }
    if (block == nullptr) {
        return nullptr;
    }
    if (size >= lazy_zero_bytes_min) { // whole pages are zero once the host has taken them back
        u64 const begin = align_up(std::bit_cast<u64>(block), page_size.value);
        u64 const end = align_down(std::bit_cast<u64>(block) + size, page_size.value);
        std::byte* const pages = block + (begin - std::bit_cast<u64>(block));
        if (madvise(pages, end - begin, MADV_DONTNEED) == 0) {
            std::memset(block, 0, static_cast<usize>(pages - block));
            std::byte* const tail = pages + (end - begin);
            std::memset(tail, 0, size - static_cast<usize>(tail - block));
            return block;
        }
    }
    std::memset(block, 0, size);
    return block;
}

void* allocate_aligned(usize alignment, usize size) {
    ProcessHeap* const heap = ready_heap();
    if (heap == nullptr) {
        return nullptr;
    }
    auto const block = heap->allocate(Bytes{size + (size == 0)}, Bytes{alignment});
    if (t_thread.ended) {
        leave_heap();
    }
    return block ? block.value() : nullptr;
}

void* resize(void* block, usize size) {
    CHECK(block != nullptr && size != 0);
    ProcessHeap* const heap = ready_heap();
    auto const resized =
        heap == nullptr
            ? Result<std::byte*>(Error::out_of_range)
            : heap->resize(static_cast<std::byte*>(block), Bytes{size}, memory::default_alignment);
    if (!resized && resized.error() != Error::out_of_memory) {
        report_misuse("realloc", block, resized.error());
    }
    if (t_thread.ended) {
        leave_heap();
    }
    return resized ? resized.value() : nullptr;
}

usize usable_size(void* block) {
    if (block == nullptr) {
        return 0;
    }
    ProcessHeap* const heap = ready_heap();
    auto const usable = heap == nullptr ? Result<Bytes>(Error::out_of_range)
                                        : heap->usable_size(static_cast<std::byte*>(block));
    if (!usable) {
        report_misuse("malloc_usable_size", block, usable.error());
    }
    return usable.value().value;
}

void trim() {
    if (ProcessHeap* const heap = ready_heap()) {
        heap->trim();
    }
}

} // namespace twofold::malloc_library
