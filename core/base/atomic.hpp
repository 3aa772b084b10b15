// Atomic<T>: the only atomics that core/ uses. One source serves the machines, the simulator (which
// interleaves at each operation) and a model checker; only this file changes. Memory orders are
// always spelled out.
#pragma once

#include "core/base/integers.hpp"

#include <atomic>

namespace twofold {

using MemoryOrder = std::memory_order;
inline constexpr MemoryOrder relaxed = std::memory_order_relaxed;
inline constexpr MemoryOrder acquire = std::memory_order_acquire;
inline constexpr MemoryOrder release = std::memory_order_release;
inline constexpr MemoryOrder acquire_release = std::memory_order_acq_rel;
inline constexpr MemoryOrder sequential = std::memory_order_seq_cst;

/// A word that several execution contexts may touch at once. Lock-free; any context; O(1).
template<class T>
class Atomic {
public:
    static_assert(
        std::atomic<T>::is_always_lock_free, "the kernel has no fallback for wide atomics");

    constexpr Atomic() = default;
    constexpr explicit Atomic(T value) : m_value(value) {}
    Atomic(Atomic const&) = delete;
    Atomic& operator=(Atomic const&) = delete;

    T load(MemoryOrder order) const { return m_value.load(order); }
    void store(T value, MemoryOrder order) { m_value.store(value, order); }
    T exchange(T value, MemoryOrder order) { return m_value.exchange(value, order); }
    T fetch_add(T value, MemoryOrder order) { return m_value.fetch_add(value, order); }
    T fetch_sub(T value, MemoryOrder order) { return m_value.fetch_sub(value, order); }
    T fetch_or(T value, MemoryOrder order) { return m_value.fetch_or(value, order); }
    T fetch_and(T value, MemoryOrder order) { return m_value.fetch_and(value, order); }

    /// Stores `desired` if the word equals `expected`; else loads the word into `expected`.
    bool compare_exchange(T& expected, T desired, MemoryOrder success, MemoryOrder failure) {
        return m_value.compare_exchange_strong(expected, desired, success, failure);
    }

private:
    std::atomic<T> m_value{};
};

/// Orders the caller's memory operations before it against those after it, as `order` says.
inline void fence(MemoryOrder order) {
    std::atomic_thread_fence(order);
}

} // namespace twofold
