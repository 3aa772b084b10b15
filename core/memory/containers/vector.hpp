// Vector<T, A>: objects side by side in memory of an allocator. Whatever needs memory returns a
// Result, and leaves the vector as it was if there is none.
#pragma once

#include "core/memory/containers/storage.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace twofold::memory {

/// The allocator outlives the vector. Not thread-safe. T moves without failing.
template<class T, Allocator A>
class Vector {
public:
    /// An empty vector; takes no memory.
    explicit Vector(A& allocator) : m_allocator(&allocator) {}
    Vector(Vector&& other) noexcept
        : m_allocator(other.m_allocator),
          m_room(std::exchange(other.m_room, {})),
          m_size(std::exchange(other.m_size, 0)) {}
    Vector& operator=(Vector&& other) noexcept {
        std::swap(m_allocator, other.m_allocator);
        std::swap(m_room, other.m_room);
        std::swap(m_size, other.m_size);
        return *this;
    }
    Vector(Vector const&) = delete;
    Vector& operator=(Vector const&) = delete;
    ~Vector() {
        clear();
        give_room_back();
    }

    A& allocator() const { return *m_allocator; }
    usize size() const { return m_size; }
    bool empty() const { return m_size == 0; }
    usize capacity() const { return m_room.size(); }
    /// The objects; valid until the vector grows.
    std::span<T> items() const { return m_room.first(m_size); }
    T* begin() const { return items().data(); }
    T* end() const { return std::to_address(items().end()); }

    T& operator[](usize index) const {
        CHECK(index < m_size);
        return m_room[index];
    }
    T& front() const { return (*this)[0]; }
    T& back() const { return (*this)[m_size - 1]; }

    /// Makes room for `count` objects in all. Errors: those of allocate. O(size).
    Result<void> reserve(usize count) {
        if (count <= capacity()) {
            return {};
        }
        std::span<T> const room(TRY(allocate_room<T>(*m_allocator, count)), count);
        for (usize i = 0; i < m_size; ++i) {
            std::construct_at(&room[i], std::move(m_room[i]));
            std::destroy_at(&m_room[i]);
        }
        give_room_back();
        m_room = room;
        return {};
    }

    /// Appends an object made of `arguments`, which do not lie in the vector. Errors: those of
    /// allocate. O(1) amortised.
    template<class... Arguments>
    Result<void> emplace(Arguments&&... arguments) {
        if (m_size == capacity()) {
            TRY(reserve(std::max<usize>(capacity() * 2, capacity_first)));
        }
        std::construct_at(&m_room[m_size], std::forward<Arguments>(arguments)...);
        ++m_size;
        return {};
    }
    /// Appends `value`, which is a copy, so it may have come from the vector itself.
    Result<void> push(T value) { return emplace(std::move(value)); }

    /// Appends copies of `values`, for which there is room (`reserve`).
    void append_copies(std::span<T const> values) {
        CHECK(values.size() <= capacity() - m_size);
        for (T const& value : values) {
            std::construct_at(&m_room[m_size], value);
            ++m_size;
        }
    }

    /// Removes the last object and returns it. There is one.
    T pop() {
        T last = std::move(back());
        --m_size;
        std::destroy_at(&m_room[m_size]);
        return last;
    }
    void clear() {
        std::destroy(begin(), end());
        m_size = 0;
    }

private:
    static constexpr usize capacity_first = 4;

    void give_room_back() {
        if (m_room.data() != nullptr) {
            free_room(*m_allocator, m_room.data());
            m_room = {};
        }
    }

    A* m_allocator;
    std::span<T> m_room; ///< the first m_size objects exist
    usize m_size = 0;
};

} // namespace twofold::memory
