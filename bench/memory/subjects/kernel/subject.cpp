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
    constexpr AnonymousBacking() = default;
    void reserve() {
        void* const range = mmap(
            nullptr, range_bytes, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(range != MAP_FAILED);
        m_base = static_cast<std::byte*>(range);
    }
    memory::HeapRange range() const { return {m_base, {range_bytes}}; }
    Result<void> commit(Bytes offset, Bytes size) {
        // The kernel maps frames when the heap commits: no access to a page that was committed
        // faults. A large block's pages wait, so that what is resident is what was touched.
        if (size.value <= populate_bytes_max) {
            (void)madvise(m_base + offset.value, size.value, MADV_POPULATE_WRITE);
        }
        return {};
    }
    void decommit(Bytes offset, Bytes size) {
        int const done = madvise(m_base + offset.value, size.value, MADV_DONTNEED);
        CHECK(done == 0);
    }

private:
    static constexpr u64 populate_bytes_max = u64{64} << 10;

    std::byte* m_base = nullptr;
};

/// What a processor has: its cache, and whether it takes interrupts.
struct Processor {
    void* cache = nullptr;
    bool interrupts_enabled = true;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Processor processor;

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

constinit AnonymousBacking backing;
constinit ProcessorEnvironment environment;
constinit KernelHeap* heap = nullptr;

/// Built at the first use, before the program's constructors if they allocate; by one thread.
[[gnu::noinline]] KernelHeap& build() {
    backing.reserve();
    heap = KernelHeap::create(backing, environment).value();
    return *heap;
}
[[gnu::always_inline]] inline KernelHeap& built() {
    return heap != nullptr ? *heap : build();
}

void* address_of(Result<std::byte*> const& block) {
    return block ? block.value() : nullptr;
}

} // namespace

void* take(std::size_t size) {
    Result<std::byte*> const block = built().allocate(Bytes{size});
    return block ? block.value() : nullptr;
}

void* take_aligned(std::size_t size, std::size_t alignment) {
    return address_of(built().allocate(Bytes{size}, Bytes{alignment}));
}

void* resize(void* block, std::size_t size) {
    return address_of(
        built().resize(static_cast<std::byte*>(block), Bytes{size}, memory::default_alignment));
}

void give(void* block) {
    Result<void> const freed = built().free(static_cast<std::byte*>(block));
    CHECK(freed.has_value());
}

std::size_t usable_size(void* block) {
    return built().usable_size(static_cast<std::byte*>(block)).value().value;
}

} // namespace subject
