// Box<T, A>: one object in memory of an allocator, owned. Moves; never empty but after a move.
#pragma once

#include "core/memory/containers/storage.hpp"

#include <utility>

namespace twofold::memory {

/// The allocator outlives the box. Not thread-safe. Where T is a base, its destructor is virtual.
template<class T, Allocator A>
class Box {
public:
    /// An object made of `arguments`. Errors: those of allocate.
    template<class... Arguments>
    static Result<Box> create(A& allocator, Arguments&&... arguments) {
        T* const room = TRY(allocate_room<T>(allocator, 1));
        return Box(allocator, std::construct_at(room, std::forward<Arguments>(arguments)...));
    }
    Box(Box&& other) noexcept
        : m_allocator(other.m_allocator), m_object(std::exchange(other.m_object, nullptr)) {}
    Box& operator=(Box&& other) noexcept {
        std::swap(m_allocator, other.m_allocator);
        std::swap(m_object, other.m_object);
        return *this;
    }
    Box(Box const&) = delete;
    Box& operator=(Box const&) = delete;
    ~Box() {
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): constructors set it
        if (m_object != nullptr) {
            std::destroy_at(m_object);
            free_room(*m_allocator, m_object);
        }
    }

    T& operator*() const {
        CHECK(m_object != nullptr);
        return *m_object;
    }
    T* operator->() const { return &**this; }

private:
    Box(A& allocator, T* object) : m_allocator(&allocator), m_object(object) {}

    A* m_allocator;
    T* m_object;
};

} // namespace twofold::memory
