// A heap over private anonymous memory with a cache for each host thread, for tests.
#pragma once

#include "core/memory/memory.hpp"

#include <mutex>
#include <sys/mman.h>

namespace twofold::memory::testing {

class HostBacking {
public:
    HostBacking()
        : m_base(static_cast<std::byte*>(mmap(
              nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
        CHECK(m_base != MAP_FAILED);
    }
    HostBacking(HostBacking const&) = delete;
    HostBacking& operator=(HostBacking const&) = delete;
    ~HostBacking() { munmap(m_base, bytes); }

    HeapRange range() const { return {m_base, {bytes}}; }
    Result<void> commit(Bytes offset, Bytes size) {
        return allow(offset, size, PROT_READ | PROT_WRITE);
    }
    /// What was given back cannot be touched.
    void decommit(Bytes offset, Bytes size) {
        bool const given = madvise(m_base + offset.value, size.value, MADV_DONTNEED) == 0;
        CHECK(given && allow(offset, size, PROT_NONE));
    }

private:
    static constexpr u64 bytes = u64{1} << 30;

    Result<void> allow(Bytes offset, Bytes size, int access) {
        if (mprotect(m_base + offset.value, size.value, access) != 0) {
            return Error::out_of_memory;
        }
        return {};
    }

    std::byte* m_base;
};

class HostEnvironment {
public:
    static constexpr usize caches_max = 64;
    struct Scope {
        explicit Scope(HostEnvironment&) {}
    };
    void* slot() const { return cache; }
    void set_slot(void* mine) { cache = mine; }
    void lock() { m_mutex.lock(); }
    void unlock() { m_mutex.unlock(); }
    /// Forgets the caller's cache, whose heap is gone.
    static void reset() { cache = nullptr; }

private:
    static inline thread_local void* cache = nullptr;
    std::mutex m_mutex;
};

struct HostHeap {
    HostBacking backing;
    HostEnvironment environment;
    Heap<HostBacking, HostEnvironment>& heap =
        *Heap<HostBacking, HostEnvironment>::create(backing, environment).value();
};

} // namespace twofold::memory::testing
