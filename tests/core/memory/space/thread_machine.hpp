// Host threads as processors with translations: each caches what it has read from the page tables
// and goes on using it until it is told otherwise, as a TLB does. The operations of hal::Mmu are
// those of the calling thread's processor (thread_machine.cpp).
//
// The oracle: a frame counts how often it went back to its source. A processor that still uses a
// translation from before has not been told in time.
#pragma once

#include "core/memory/memory.hpp"
#include "tests/support/processor.hpp"
#include "tests/support/sparse_memory.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <unordered_map>
#include <vector>

namespace twofold::test {

/// The machine's frames, as a source of spaces: counts what goes back, and refuses some on demand.
class CountedSource {
public:
    CountedSource(memory::BuddyFrames& frames, u64 memory_frames)
        : m_frames(frames), m_returns(memory_frames) {}

    Result<PhysAddr> allocate(unsigned order);
    Result<void> free(PhysAddr frame, unsigned order);
    Result<void> split(PhysAddr frame, unsigned order) { return m_frames.split(frame, order); }

    /// From now on one in `one_in` allocations fails; 0: none.
    void refuse(u64 one_in) { m_refused_one_in = one_in; }
    u32 returns_of(PhysAddr frame) const {
        return m_returns[frame.value / page_size.value].load(std::memory_order_acquire);
    }
    u64 out() const { return m_out.load(); }

private:
    memory::BuddyFrames& m_frames;
    std::vector<std::atomic<u32>> m_returns;
    std::atomic<u64> m_refused_one_in = 0;
    std::atomic<u64> m_calls = 0;
    std::atomic<u64> m_out = 0;
};

class ThreadProcessor;

/// What the processors share: memory, frames, and the way to tell each other about translations.
class ThreadMachine {
public:
    static constexpr u32 processors_max = 4;

    ThreadMachine(u32 processors, Bytes memory_size);

    u32 processors() const { return m_processors; }
    std::byte* memory() const { return m_memory.bytes(); }
    CountedSource& source() { return *m_source; }
    memory::SharedFrames& frames() { return *m_shared; }
    /// An empty root, in place of the kernel's.
    PhysAddr kernel_root() const { return m_kernel_root; }
    /// Translations that were used although their frame had gone.
    u64 stale() const { return m_stale.load(); }
    void count_stale() { ++m_stale; }

private:
    friend class ThreadProcessor;
    static void tell_others(void* machine, VirtAddr first, Bytes size);

    u32 m_processors;
    SparseMemory m_memory;
    std::optional<CountedSource> m_source;
    std::vector<memory::SharedFrames::Count> m_counts;
    std::optional<memory::SharedFrames> m_shared;
    memory::RemoteFlush const m_flush{this, tell_others};
    PhysAddr m_kernel_root{};
    std::array<std::atomic<ThreadProcessor*>, processors_max> m_running{};
    std::atomic<u64> m_stale = 0;
};

/// The calling thread is processor `id` while this lives; then it must not be told any more.
class ThreadProcessor {
public:
    ThreadProcessor(ThreadMachine& machine, u32 id);
    ThreadProcessor(ThreadProcessor const&) = delete;
    ThreadProcessor& operator=(ThreadProcessor const&) = delete;
    ~ThreadProcessor();

    /// The word at `address` of the active space, read or exchanged as a processor does: through
    /// what it has cached, else through the tables, else by a fault.
    Result<u64> read(memory::AddressSpace& space, VirtAddr address);
    Result<void> write(memory::AddressSpace& space, VirtAddr address, u64 value);

    // What hal::Mmu asks of it.
    PhysAddr root() const { return m_root; }
    void activate(PhysAddr root);
    void flush(VirtAddr first, Bytes size);

    /// The calling thread's, or null.
    static ThreadProcessor* current();

private:
    friend class ThreadMachine;
    struct Cached {
        PhysAddr frame;
        bool writable;
        u32 returns;
    };

    Cached const* look_up(VirtAddr page, bool write);
    Result<Atomic<u64>*> reach(memory::AddressSpace& space, VirtAddr address, bool write);

    ThreadMachine& m_machine;
    Processor m_processor;
    u32 m_id;
    PhysAddr m_root{};
    std::unordered_map<u64, Cached> m_cached;
    sync::CpuState* m_state;
};

} // namespace twofold::test
