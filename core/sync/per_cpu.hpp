// PerCpu<T>: one T for each processor, each on cache lines of its own, in memory that the owner
// hands in. The running processor reaches its own without a lock, in a scope that keeps it there.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/interrupt_guard.hpp"
#include "core/sync/no_preempt.hpp"
#include "hal/cpu.hpp"

namespace twofold::sync {

inline constexpr usize cache_line_bytes = 64;

template<class T>
class PerCpu {
public:
    /// A slot for none; `local` may not be called.
    PerCpu() = default;
    /// `count` values, made by T's default constructor, in the storage that is next. Where it is
    /// too small the error is no_space.
    static Result<PerCpu> create(StorageCursor& storage, u32 count) {
        PerCpu made;
        made.m_slots = TRY(storage.take<Slot>(count));
        return made;
    }
    /// How much of the storage `create` takes at most.
    static constexpr Bytes storage_for(u32 count) { return {sizeof(Slot) * count + alignof(Slot)}; }

    /// The running processor's own. The guard, of either kind, lives as long as the reference is
    /// used. O(1).
    T& local(InterruptGuard const&) const { return running(); }
    T& local(NoPreemptGuard const&) const { return running(); }
    /// That of any processor, for what is atomic in it. O(1).
    T& of(CpuId cpu) const {
        CHECK(cpu.value < m_slots.size());
        return m_slots[cpu.value].value;
    }
    u32 count() const { return static_cast<u32>(m_slots.size()); }

private:
    T& running() const {
        u32 const index = hal::Cpu::id().value;
        CHECK(index < m_slots.size());
        return m_slots[index].value;
    }

    struct alignas(cache_line_bytes) Slot {
        T value{};
    };

    std::span<Slot> m_slots;
};

} // namespace twofold::sync
