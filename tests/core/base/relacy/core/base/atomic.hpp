// Atomic<T> for the model checker: stands in for core/base/atomic.hpp by include path, so that the
// same lock-free source runs under Relacy, which explores interleavings and every value that a
// relaxed load may yield. `weakened` names the one order that this run takes away.
#pragma once

#include "core/base/integers.hpp"
#include "core/base/order_site.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
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

inline MemoryOrder joined(MemoryOrder first, MemoryOrder second) {
    return first == relaxed || first == second ? second
           : second == relaxed                 ? first
                                               : acquire_release;
}

/// The model's atomics of one iteration. In the kernel nobody has to destroy an Atomic, but Relacy
/// asks for each of its own at the end.
class ModelledAtomics {
public:
    using Destroy = void (*)(void*);

    static void add(void* atomic, Destroy destroy) {
        if (count == capacity) {
            rl::ctx().fail_test(
                "more atomics than an iteration may have", rl::test_result_user_assert_failed,
                RL_INFO);
        }
        entries[count++] = {atomic, destroy};
    }
    /// The atomics in this piece of memory end with it: whoever looks at one later is found out.
    static void destroy_within(void const* memory, std::size_t bytes) {
        auto const* const begin = static_cast<std::byte const*>(memory);
        for (std::size_t index = count; index-- > 0;) {
            auto const* const at = static_cast<std::byte const*>(entries[index].atomic);
            if (at >= begin && at < begin + bytes) {
                entries[index].destroy(entries[index].atomic);
                entries[index] = entries[--count];
            }
        }
    }
    static void forget_all() { count = 0; }
    static void destroy_all() {
        while (count > 0) {
            --count;
            entries[count].destroy(entries[count].atomic);
        }
    }

private:
    struct Entry {
        void* atomic;
        Destroy destroy;
    };
    static constexpr std::size_t capacity = 4096;
    static inline Entry entries[capacity]; // Relacy counts what is allocated
    static inline std::size_t count = 0;
};

template<class T>
class Atomic {
public:
    Atomic() : Atomic(T{}) {}
    explicit Atomic(T value) {
        ::new (static_cast<void*>(m_room)) rl::atomic<T>(value);
        ModelledAtomics::add(
            m_room, [](void* room) { static_cast<rl::atomic<T>*>(room)->~atomic(); });
    }
    Atomic(Atomic const&) = delete;
    Atomic& operator=(Atomic const&) = delete;

    T load(MemoryOrder order) const { return model().load(order, RL_INFO); }
    void store(T value, MemoryOrder order) { model().store(value, order, RL_INFO); }
    T exchange(T value, MemoryOrder order) {
        return model().rmw(rl::rmw_type_t<rl::rmw_type_swap>(), value, order, RL_INFO);
    }
    T fetch_add(T value, MemoryOrder order) {
        return model().rmw(rl::rmw_type_t<rl::rmw_type_add>(), value, order, RL_INFO);
    }
    T fetch_sub(T value, MemoryOrder order) {
        return model().rmw(rl::rmw_type_t<rl::rmw_type_sub>(), value, order, RL_INFO);
    }
    T fetch_or(T value, MemoryOrder order) {
        return model().rmw(rl::rmw_type_t<rl::rmw_type_or>(), value, order, RL_INFO);
    }
    bool compare_exchange(T& expected, T desired, MemoryOrder success, MemoryOrder failure) {
        return model().compare_exchange(
            rl::bool_t<false>(), expected, desired, success, failure, RL_INFO);
    }

private:
    rl::atomic<T>& model() const {
        return *std::launder(static_cast<rl::atomic<T>*>(static_cast<void*>(m_room)));
    }

    alignas(rl::atomic<T>) mutable std::byte m_room[sizeof(rl::atomic<T>)];
};

inline void fill(std::span<Atomic<u8>> words, u8 value) {
    for (Atomic<u8>& word : words) {
        word.store(value, relaxed);
    }
}
inline bool is_filled(std::span<Atomic<u8> const> words, u8 value) {
    return std::ranges::all_of(
        words, [value](Atomic<u8> const& word) { return word.load(relaxed) == value; });
}

/// A fence that orders nothing is none.
inline void fence(MemoryOrder order) {
    if (order != relaxed) {
        rl::atomic_thread_fence(order, RL_INFO);
    }
}

inline void handler_fence() {} // no handlers here

} // namespace twofold
