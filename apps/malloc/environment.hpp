// What the process's heap runs on: a lock that sleeps in the host when it must, and a cache for
// each thread. All of it is zero at the start and needs no constructor, since programs allocate
// before any runs.
#pragma once

#include "core/memory/heap/heap.hpp"

#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace twofold::malloc_library {

/// A mutex for threads of one process that allocates nothing.
///
/// Source: U. Drepper, "Futexes are tricky" (2011), section 5, the second mutex: 0 is free, 1
/// locked, 2 locked and somebody may sleep.
class HostLock {
public:
    constexpr HostLock() = default;
    HostLock(HostLock const&) = delete;
    HostLock& operator=(HostLock const&) = delete;

    void lock() {
        u32 seen = is_free;
        if (m_state.compare_exchange(seen, is_locked, acquire, relaxed)) [[likely]] {
            return;
        }
        for (u32 spins = 0; spins < spins_max; ++spins) {
            __builtin_ia32_pause();
            seen = is_free;
            if (m_state.load(relaxed) == is_free &&
                m_state.compare_exchange(seen, is_locked, acquire, relaxed)) {
                return;
            }
        }
        int const error = errno; // free must not change it
        while (m_state.exchange(is_contended, acquire) != is_free) {
            syscall(SYS_futex, &m_state, FUTEX_WAIT_PRIVATE, is_contended, nullptr, nullptr, 0);
        }
        errno = error;
    }

    void unlock() {
        if (m_state.exchange(is_free, release) == is_contended) {
            syscall(SYS_futex, &m_state, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
        }
    }

    /// In the only thread of a forked child, which inherited the lock from the thread that took it.
    void release_in_child() { m_state.store(is_free, release); }

private:
    static constexpr u32 is_free = 0, is_locked = 1, is_contended = 2;
    static constexpr u32 spins_max = 100;

    Atomic<u32> m_state;
};

/// A thread's part of the heap, in the block of thread-local storage that the loader lays out at
/// the start: no access to it can allocate.
struct ThreadState {
    void* cache = nullptr;
    bool known = false; ///< its end will be told
    bool ended = false; ///< its cache has been given up; what it still frees is not kept
};

[[gnu::tls_model("initial-exec")]] inline constinit thread_local ThreadState t_thread;

class ThreadEnvironment {
public:
    /// Threads with a cache at one time; more share what lies behind the caches. Only those that
    /// were ever in use at once take memory.
    static constexpr usize caches_max = 1024;

    /// A thread has its cache to itself: nothing must be switched off.
    struct Scope {
        explicit Scope(ThreadEnvironment&) {}
    };

    void* slot() const { return t_thread.cache; }
    void set_slot(void* cache) { t_thread.cache = cache; }
    void lock() { m_lock.lock(); }
    void unlock() { m_lock.unlock(); }
    void release_in_child() { m_lock.release_in_child(); }

private:
    HostLock m_lock;
};
static_assert(memory::HeapEnvironment<ThreadEnvironment>);

} // namespace twofold::malloc_library
