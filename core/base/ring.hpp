// Ring<T, Capacity>: a bounded first-in-first-out queue inside its owner. No allocation, no thread
// safety: callers that share one hold a lock.
#pragma once

#include "core/base/check.hpp"
#include "core/base/integers.hpp"
#include "core/base/result.hpp"

#include <array>
#include <optional>
#include <utility>

namespace twofold {

template<class T, usize Capacity>
class Ring {
public:
    static_assert(Capacity > 0);

    static constexpr usize capacity() { return Capacity; }
    constexpr usize size() const { return m_size; }
    constexpr bool empty() const { return m_size == 0; }
    constexpr bool full() const { return m_size == Capacity; }

    /// Adds at the back. Error::no_space if full. O(1).
    constexpr Result<void> push(T value) {
        if (full()) {
            return Error::no_space;
        }
        m_items[place(m_size)] = std::move(value);
        ++m_size;
        return {};
    }

    /// Adds at the back; if full, the front gives way and is returned. O(1).
    constexpr std::optional<T> push_over(T value) {
        std::optional<T> dropped;
        if (full()) {
            dropped = pop();
        }
        Result<void> const pushed = push(std::move(value));
        CHECK(pushed.has_value());
        return dropped;
    }

    /// Takes from the front, if there is anything. O(1).
    constexpr std::optional<T> pop() {
        if (empty()) {
            return std::nullopt;
        }
        T value = std::move(m_items[m_first]);
        m_first = place(1);
        --m_size;
        return value;
    }

    /// The element `index` places behind the front; panics outside the ring. O(1).
    constexpr T const& operator[](usize index) const {
        CHECK(index < m_size);
        return m_items[place(index)];
    }

    constexpr void clear() { m_first = m_size = 0; }

private:
    constexpr usize place(usize offset) const { return (m_first + offset) % Capacity; }

    std::array<T, Capacity> m_items{};
    usize m_first = 0;
    usize m_size = 0;
};

} // namespace twofold
