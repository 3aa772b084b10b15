// The kernel's heap: the heap templates over the heap window of the kernel's space, with a cache
// for each processor. Neighbours: heap/heap.hpp (how it works), kernel_heap_backing.hpp (where its
// pages come from).
#pragma once

#include "core/memory/debug/kernel_debug.hpp"
#include "core/memory/heap/heap.hpp"
#include "core/memory/space/kernel_heap_backing.hpp"
#include "core/sync/sync.hpp"

namespace twofold::memory {

/// Inside an operation the caller stays on its processor, whose cache is its own, with interrupts
/// on: handlers allocate nothing. The back end has a ranked lock.
class KernelHeapEnvironment {
public:
    static constexpr usize caches_max = 1024;
    struct Scope {
        explicit Scope(KernelHeapEnvironment&) {}
        sync::NoPreemptGuard guard;
    };

    /// Slots for `cpus` processors, at most caches_max, in `storage`. Error::no_space.
    static Result<KernelHeapEnvironment> create(StorageCursor& storage, u32 cpus) {
        if (cpus > caches_max) {
            return Error::no_space;
        }
        return KernelHeapEnvironment(TRY(sync::PerCpu<void*>::create(storage, cpus)));
    }
    KernelHeapEnvironment(KernelHeapEnvironment&& other) : m_caches(other.m_caches) {}
    KernelHeapEnvironment& operator=(KernelHeapEnvironment&&) = delete;
    static Bytes storage_for(u32 cpus) { return sync::PerCpu<void*>::storage_for(cpus); }

    // The concept HeapEnvironment; inside a Scope.
    void* slot() const { return m_caches.of(hal::Cpu::id()); }
    void set_slot(void* cache) { m_caches.of(hal::Cpu::id()) = cache; }
    void lock() { m_lock.lock(); }
    void unlock() { m_lock.unlock(); }

private:
    explicit KernelHeapEnvironment(sync::PerCpu<void*> caches) : m_caches(caches) {}

    sync::PerCpu<void*> m_caches;
    sync::LockableSpinLock m_lock{sync::LockRank::heap};
};

/// The heap itself, and how the kernel uses it: in builds with heap checks, through the debugging
/// layer.
using BareKernelHeap = Heap<KernelHeapBacking, KernelHeapEnvironment>;
using DebugKernelHeap = DebugAllocator<BareKernelHeap, KernelDebugEnvironment>;
using KernelHeap = std::conditional_t<heap_checks_enabled, DebugKernelHeap, BareKernelHeap>;
static_assert(Allocator<BareKernelHeap>);

// Compiled once (kernel_heap.cpp), except for what every caller inlines.
extern template class heap::Space<KernelHeapBacking>;
extern template class Heap<KernelHeapBacking, KernelHeapEnvironment>;

} // namespace twofold::memory
