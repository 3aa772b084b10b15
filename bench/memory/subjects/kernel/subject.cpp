// The kernel's heap over private anonymous memory, one processor a thread. Compiled as kernel code.
#include "bench/memory/subjects/kernel/subject.hpp"

#include "core/memory/heap/heap.hpp"

#include <sys/mman.h>

namespace subject {

namespace {

using namespace twofold;

constexpr u64 range_bytes = u64{16} << 30;

class AnonymousBacking {
public:
    AnonymousBacking()
        : m_base(static_cast<std::byte*>(mmap(
              nullptr,
              range_bytes,
              PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
              -1,
              0))) {
        CHECK(m_base != MAP_FAILED);
    }
    memory::HeapRange range() const { return {m_base, {range_bytes}}; }
    Result<void> commit(Bytes, Bytes) { return {}; }
    void decommit(Bytes offset, Bytes size) {
        int const done = madvise(m_base + offset.value, size.value, MADV_DONTNEED);
        CHECK(done == 0);
    }

private:
    std::byte* m_base;
};

/// What a processor has: its cache, and whether it takes interrupts.
struct Processor {
    void* cache = nullptr;
    bool interrupts_enabled = true;
};
thread_local Processor processor;

class ProcessorEnvironment {
public:
    static constexpr usize caches_max = 64;
    class Scope {
    public:
        explicit Scope(ProcessorEnvironment&) : m_enabled(processor.interrupts_enabled) {
            if (m_enabled) [[likely]] { // constants, so that nothing waits for the flag
                processor.interrupts_enabled = false;
            }
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
        }
        ~Scope() {
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
            if (m_enabled) [[likely]] {
                processor.interrupts_enabled = true;
            }
        }
        Scope(Scope const&) = delete;
        Scope& operator=(Scope const&) = delete;

    private:
        bool m_enabled;
    };
    void* slot() const { return processor.cache; }
    void set_slot(void* cache) { processor.cache = cache; }
    void lock() {
        u32 const ticket = m_next.fetch_add(1, relaxed);
        while (m_serving.load(acquire) != ticket) {
            __builtin_ia32_pause();
        }
    }
    void unlock() { m_serving.store(m_serving.load(relaxed) + 1, release); }

private:
    Atomic<u32> m_next;
    Atomic<u32> m_serving;
};

using KernelHeap = memory::Heap<AnonymousBacking, ProcessorEnvironment>;

AnonymousBacking backing;
ProcessorEnvironment environment;
KernelHeap& heap = *KernelHeap::create(backing, environment).value();

} // namespace

void* take(std::size_t size) {
    Result<std::byte*> const block = heap.allocate(Bytes{size});
    return block ? block.value() : nullptr;
}

void give(void* block) {
    Result<void> const freed = heap.free(static_cast<std::byte*>(block));
    CHECK(freed.has_value());
}

} // namespace subject
