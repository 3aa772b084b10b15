// FixedVector<T, Capacity>: a vector whose elements lie inside it. Growing past the capacity is an
// ordinary error. No allocation; no thread safety; pointers to elements stay valid until that
// element is removed or the vector goes.
#pragma once

#include "core/base/check.hpp"
#include "core/base/construct.hpp"
#include "core/base/integers.hpp"
#include "core/base/result.hpp"

#include <span>
#include <type_traits>
#include <utility>

namespace twofold {

template<class T, usize Capacity>
class FixedVector {
public:
    static_assert(Capacity > 0);

    FixedVector() = default;
    FixedVector(FixedVector const& other) { append_all(other); }
    FixedVector(FixedVector&& other) { append_all(std::move(other)); }
    FixedVector& operator=(FixedVector const& other) {
        if (this != &other) {
            clear();
            append_all(other);
        }
        return *this;
    }
    FixedVector& operator=(FixedVector&& other) {
        if (this != &other) {
            clear();
            append_all(std::move(other));
        }
        return *this;
    }
    ~FixedVector() { clear(); }

    static constexpr usize capacity() { return Capacity; }
    usize size() const { return m_size; }
    bool empty() const { return m_size == 0; }
    bool full() const { return m_size == Capacity; }

    /// The element at `index`; panics outside the vector. O(1).
    T& operator[](usize index) {
        CHECK(index < m_size);
        return m_storage.items[index];
    }
    T const& operator[](usize index) const {
        CHECK(index < m_size);
        return m_storage.items[index];
    }
    T& back() { return (*this)[m_size - 1]; }
    T const& back() const { return (*this)[m_size - 1]; }

    /// All elements. Valid until the vector changes its size.
    std::span<T> items() { return {m_storage.items, m_size}; }
    std::span<T const> items() const { return {m_storage.items, m_size}; }
    auto begin() { return items().begin(); }
    auto end() { return items().end(); }
    auto begin() const { return items().begin(); }
    auto end() const { return items().end(); }

    /// Adds an element at the end. Error::no_space if the vector is full (`value` is lost). O(1).
    Result<void> push_back(T value) {
        if (full()) {
            return Error::no_space;
        }
        std::construct_at(&m_storage.items[m_size], std::move(value));
        ++m_size;
        return {};
    }

    /// Puts an element before `index` (at most size()). Error::no_space. O(n).
    Result<void> insert(usize index, T value) {
        CHECK(index <= m_size);
        if (full()) {
            return Error::no_space;
        }
        std::construct_at(&m_storage.items[m_size], std::move(value));
        ++m_size;
        for (usize i = m_size - 1; i > index; --i) {
            std::swap(m_storage.items[i], m_storage.items[i - 1]);
        }
        return {};
    }

    /// Removes the last element; panics if there is none. O(1).
    void pop_back() {
        CHECK(m_size > 0);
        std::destroy_at(&m_storage.items[--m_size]);
    }

    /// Removes the element at `index` and closes the gap. O(n).
    void erase(usize index) {
        CHECK(index < m_size);
        for (usize i = index; i + 1 < m_size; ++i) {
            m_storage.items[i] = std::move(m_storage.items[i + 1]);
        }
        pop_back();
    }

    void clear() {
        while (m_size > 0) {
            pop_back();
        }
    }

private:
    template<class Other>
    void append_all(Other&& other) {
        CHECK(m_size == 0);
        for (auto& item : other) {
            if constexpr (std::is_rvalue_reference_v<Other&&>) {
                std::construct_at(&m_storage.items[m_size], std::move(item));
            } else {
                std::construct_at(&m_storage.items[m_size], item);
            }
            ++m_size;
        }
    }

    /// Room for elements that are constructed one by one.
    union Storage {
        Storage() {}
        ~Storage() {}
        T items[Capacity];
    };
    Storage m_storage;
    usize m_size = 0;
};

} // namespace twofold
