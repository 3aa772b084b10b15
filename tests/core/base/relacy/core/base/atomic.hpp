// Atomic<T> for the model checker: stands in for core/base/atomic.hpp by include path, so that the
// same lock-free source runs under Relacy, which explores interleavings and every value that a
// relaxed load may yield. `weakened` names the one order that this run takes away.
#pragma once

#include "core/base/integers.hpp"
#include "core/base/order_site.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <optional>
#include <span>

#include <relacy/relacy.hpp>
// Relacy renames these for programs that are written for it; the kernel's own source is not.
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef memory_order_relaxed
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef VAR

namespace twofold {

using MemoryOrder = rl::memory_order;
inline constexpr MemoryOrder relaxed = rl::mo_relaxed;
inline constexpr MemoryOrder acquire = rl::mo_acquire;
inline constexpr MemoryOrder release = rl::mo_release;
inline constexpr MemoryOrder acquire_release = rl::mo_acq_rel;
inline constexpr MemoryOrder sequential = rl::mo_seq_cst;

/// The order that this run weakens; none: the source as it is.
inline OrderSite weakened = OrderSite::none;

inline MemoryOrder numbered(OrderSite site, MemoryOrder order) {
    return site == weakened ? relaxed : order;
}

template<class T>
class Atomic {
public:
    Atomic() : m_value(T{}) {}
    explicit Atomic(T value) : m_value(value) {}

    T load(MemoryOrder order) const { return m_value.load(order, RL_INFO); }
    void store(T value, MemoryOrder order) { m_value.store(value, order, RL_INFO); }
    T fetch_add(T value, MemoryOrder order) {
        return m_value.rmw(rl::rmw_type_t<rl::rmw_type_add>(), value, order, RL_INFO);
    }
    bool compare_exchange(T& expected, T desired, MemoryOrder success, MemoryOrder failure) {
        return m_value.compare_exchange(
            rl::bool_t<false>(), expected, desired, success, failure, RL_INFO);
    }

private:
    rl::atomic<T> m_value;
};

/// A fence that orders nothing is none.
inline void fence(MemoryOrder order) {
    if (order != relaxed) {
        rl::atomic_thread_fence(order, RL_INFO);
    }
}

} // namespace twofold
