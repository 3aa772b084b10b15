// Scratch buffers: a kibibyte for each processor, there from start-up on, for code that may not
// allocate or must not fail: building a message, sorting a few words.
//
// Each buffer ends where its page ends, and the next page is a guard: the first byte past the end
// faults. Before the buffer lie 3 KiB of the same page. They hold a known pattern: the 64 bytes
// next to the buffer are compared when it is given back, all of them by `verify`; what runs further
// back meets the guard below the page. (A page of its own on both sides would cost every processor
// a second page and translation to catch the same mistake a moment earlier.)
#pragma once

#include "core/memory/space/kernel_space.hpp"
#include "core/sync/sync.hpp"

#include <span>

namespace twofold::memory {

class ScratchBuffers;

/// The right to use one buffer. Moves; the buffer is free again at its end. May be given back on
/// another processor than it was taken on.
class [[nodiscard]] ScratchLease {
public:
    ScratchLease(ScratchLease&& other) : m_slot(std::exchange(other.m_slot, nullptr)) {}
    ScratchLease& operator=(ScratchLease&&) = delete;
    /// Panics where something was written before the buffer's beginning.
    ~ScratchLease();

    /// The buffer; what it holds is undefined. Valid as long as the lease.
    std::span<std::byte> bytes() const;

    /// Ends the lease. Errors: corrupted, where something was written before the buffer's
    /// beginning (the pattern is restored, the buffer is free); invalid_state, if it has ended
    /// already. O(1).
    Result<void> give_back();

private:
    friend class ScratchBuffers;
    struct Slot {
        Atomic<u32> taken{0};
        Atomic<u64> leases{0};  ///< ever
        Atomic<u64> refused{0}; ///< while it was taken
        std::byte* page = nullptr;
    };
    explicit ScratchLease(Slot& slot) : m_slot(&slot) {}

    Slot* m_slot; ///< null once it has ended or was moved from
};

/// What a processor did with its buffer.
struct ScratchStatistics {
    u64 leases = 0;
    u64 refused = 0;
    bool taken = false;
};

/// The buffers of all processors. Any context; `create` and the destructor are the space's (one
/// user at a time).
class ScratchBuffers {
public:
    static constexpr Bytes buffer_size{1024};
    static constexpr Bytes storage_for(u32 cpus) {
        return sync::PerCpu<ScratchLease::Slot>::storage_for(cpus);
    }

    /// Buffers for `cpus` processors, their records in `storage`; both outlive them. Errors:
    /// invalid_argument (no processor), no_space, out_of_memory. O(processors).
    static Result<ScratchBuffers> create(KernelSpace& space, StorageCursor& storage, u32 cpus);

    ScratchBuffers(ScratchBuffers&& other)
        : m_space(std::exchange(other.m_space, nullptr)),
          m_base(other.m_base),
          m_slots(other.m_slots) {}
    ScratchBuffers& operator=(ScratchBuffers&&) = delete;
    /// No lease is out.
    ~ScratchBuffers();

    /// The running processor's buffer. Errors: busy, while somebody has it: the caller itself
    /// further up, or what it interrupted. O(1).
    Result<ScratchLease> take();

    ScratchStatistics statistics(CpuId cpu) const;
    u32 cpus() const { return m_slots.count(); }

    /// Compares all that lies before the buffers with its pattern. Errors: corrupted.
    /// O(processors).
    Result<void> verify() const;

private:
    using Slot = ScratchLease::Slot;
    ScratchBuffers(KernelSpace& space, VirtAddr base, sync::PerCpu<Slot> slots)
        : m_space(&space), m_base(base), m_slots(slots) {}

    Result<void> map(u32 cpus);
    static Bytes extent(u32 cpus) { return page_size * (2 * u64{cpus} + 1); }

    KernelSpace* m_space; ///< null once moved from
    VirtAddr m_base;      ///< of the first guard
    sync::PerCpu<Slot> m_slots;
};

} // namespace twofold::memory
