// Atomic<T>: the only atomics that core/ uses. One source serves the machines, the simulator (which
// interleaves at each operation: atomic_point.hpp) and a model checker; only this file changes.
// Memory orders are always spelled out.
#pragma once

#include "core/base/atomic_point.hpp"
#include "core/base/integers.hpp"
#include "core/base/order_site.hpp"

#include <span>
#include <type_traits>

namespace twofold {

/// The memory orders of C++ ([atomics.order]), as the compilers' atomic operations number them.
/// `consume` does not exist here: no compiler gives it a meaning of its own.
enum class MemoryOrder : int {
    relaxed = __ATOMIC_RELAXED,
    acquire = __ATOMIC_ACQUIRE,
    release = __ATOMIC_RELEASE,
    acquire_release = __ATOMIC_ACQ_REL,
    sequential = __ATOMIC_SEQ_CST,
};
inline constexpr MemoryOrder relaxed = MemoryOrder::relaxed;
inline constexpr MemoryOrder acquire = MemoryOrder::acquire;
inline constexpr MemoryOrder release = MemoryOrder::release;
inline constexpr MemoryOrder acquire_release = MemoryOrder::acquire_release;
inline constexpr MemoryOrder sequential = MemoryOrder::sequential;

/// `order`, which the structure at `site` needs. The model checker's build weakens it on demand.
constexpr MemoryOrder numbered(OrderSite, MemoryOrder order) {
    return order;
}

/// The order that asks for what both ask, of an operation that reads and writes. Neither is
/// sequential.
constexpr MemoryOrder joined(MemoryOrder first, MemoryOrder second) {
    return first == relaxed || first == second ? second
           : second == relaxed                 ? first
                                               : acquire_release;
}

/// A word that several execution contexts may touch at once. Lock-free; any context; O(1).
///
/// Made of the compilers' atomic operations rather than of <atomic>, which is the longest header
/// that the kernel would read, in every file.
template<class T>
class Atomic {
public:
    static_assert(
        __atomic_always_lock_free(sizeof(T[1]), nullptr), // sizeof a pointer looks like a slip
        "the kernel has no fallback for wide atomics");
    static_assert(std::is_trivially_copyable_v<T>);

    constexpr Atomic() = default;
    constexpr explicit Atomic(T value) : m_value(value) {}
    Atomic(Atomic const&) = delete;
    Atomic& operator=(Atomic const&) = delete;

    T load(MemoryOrder order) const {
        atomic_point::before_load();
        T value;
        __atomic_load(&m_value, &value, static_cast<int>(order));
        return value;
    }
    void store(T value, MemoryOrder order) {
        atomic_point::before_store();
        __atomic_store(&m_value, &value, static_cast<int>(order));
    }
    T exchange(T value, MemoryOrder order) {
        atomic_point::before_update();
        T before;
        __atomic_exchange(&m_value, &value, &before, static_cast<int>(order));
        return before;
    }
    T fetch_add(T value, MemoryOrder order) {
        atomic_point::before_update();
        return __atomic_fetch_add(&m_value, value, static_cast<int>(order));
    }
    T fetch_sub(T value, MemoryOrder order) {
        atomic_point::before_update();
        return __atomic_fetch_sub(&m_value, value, static_cast<int>(order));
    }
    T fetch_or(T value, MemoryOrder order) {
        atomic_point::before_update();
        return __atomic_fetch_or(&m_value, value, static_cast<int>(order));
    }
    T fetch_and(T value, MemoryOrder order) {
        atomic_point::before_update();
        return __atomic_fetch_and(&m_value, value, static_cast<int>(order));
    }

    /// Stores `desired` if the word equals `expected`; else loads the word into `expected`.
    bool compare_exchange(T& expected, T desired, MemoryOrder success, MemoryOrder failure) {
        atomic_point::before_update();
        return __atomic_compare_exchange(
            &m_value, &expected, &desired, false, static_cast<int>(success),
            static_cast<int>(failure));
    }

private:
    alignas(sizeof(T[1])) T m_value{};
};

/// Sets every word, before or while nobody else looks. As quick as memset. O(n).
inline void fill(std::span<Atomic<u8>> words, u8 value) {
    static_assert(sizeof(Atomic<u8>) == 1 && std::is_standard_layout_v<Atomic<u8>>);
    __builtin_memset(static_cast<void*>(words.data()), value, words.size());
}
/// Whether every word has this value, while nobody changes one. O(n).
inline bool is_filled(std::span<Atomic<u8> const> words, u8 value) {
    // The first has it, and each has what the one before it has.
    return words.empty() ||
           (words[0].load(relaxed) == value &&
            __builtin_memcmp(words.data(), words.data() + 1, words.size() - 1) == 0);
}

/// Orders the caller's memory operations before it against those after it, as `order` says.
inline void fence(MemoryOrder order) {
    __atomic_thread_fence(static_cast<int>(order));
}

/// Orders the caller's memory operations before it against those after it, as a handler on the same
/// processor sees them. Costs nothing but what the compiler may not do.
inline void handler_fence() {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

} // namespace twofold
