// A set of processors, and one that several processors change at once.
#pragma once

#include "core/base/base.hpp"

#include <bit>

namespace twofold::sched {

/// Up to 256 processors. All operations are O(1).
class CpuMask {
public:
    static constexpr u32 cpus_max = 256;
    static constexpr usize words = cpus_max / 64;

    constexpr CpuMask() = default;
    /// Processors 0 to count - 1.
    static constexpr CpuMask first(u32 count) {
        CpuMask mask;
        for (u32 cpu = 0; cpu < count; ++cpu) {
            mask.add({cpu});
        }
        return mask;
    }
    static constexpr CpuMask all() { return first(cpus_max); }
    static constexpr CpuMask only(CpuId cpu) {
        CpuMask mask;
        mask.add(cpu);
        return mask;
    }

    constexpr void add(CpuId cpu) {
        CHECK(cpu.value < cpus_max);
        m_words[cpu.value / 64] |= u64{1} << cpu.value % 64;
    }
    constexpr void remove(CpuId cpu) {
        CHECK(cpu.value < cpus_max);
        m_words[cpu.value / 64] &= ~(u64{1} << cpu.value % 64);
    }
    constexpr bool has(CpuId cpu) const {
        return cpu.value < cpus_max && (m_words[cpu.value / 64] >> cpu.value % 64 & 1) != 0;
    }
    constexpr bool empty() const { return *this == CpuMask(); }
    constexpr u32 size() const {
        u32 count = 0;
        for (u64 const word : m_words) {
            count += static_cast<u32>(std::popcount(word));
        }
        return count;
    }
    constexpr CpuMask operator&(CpuMask const& other) const {
        CpuMask both = *this;
        for (usize i = 0; i < words; ++i) {
            both.m_words[i] &= other.m_words[i];
        }
        return both;
    }
    constexpr bool operator==(CpuMask const&) const = default;

    /// Calls visit(CpuId) for each, ascending, until it returns false.
    template<class Visit>
    constexpr void for_each(Visit const& visit) const {
        for (usize i = 0; i < words; ++i) {
            for (u64 left = m_words[i]; left != 0; left &= left - 1) {
                if (!visit(CpuId{static_cast<u32>(i * 64) +
                                 static_cast<u32>(std::countr_zero(left))})) {
                    return;
                }
            }
        }
    }

private:
    friend class AtomicCpuMask;

    u64 m_words[words]{};
};

/// A set in which each processor has a bit that any may change. A look at the whole is no snapshot.
class AtomicCpuMask {
public:
    void add(CpuId cpu) { word(cpu).fetch_or(u64{1} << cpu.value % 64, release); }
    void remove(CpuId cpu) { word(cpu).fetch_and(~(u64{1} << cpu.value % 64), relaxed); }
    CpuMask look() const {
        CpuMask mask;
        for (usize i = 0; i < CpuMask::words; ++i) {
            mask.m_words[i] = m_words[i].load(acquire);
        }
        return mask;
    }

private:
    Atomic<u64>& word(CpuId cpu) {
        CHECK(cpu.value < CpuMask::cpus_max);
        return m_words[cpu.value / 64];
    }

    Atomic<u64> m_words[CpuMask::words]{};
};

} // namespace twofold::sched
