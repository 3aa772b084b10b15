// Objects of a run in the kernel's heap: as many as the workload has, and none of them moves.
#pragma once

#include "core/memory/memory.hpp"

#include <span>
#include <utility>

namespace twofold::lab {

/// `count` fresh objects, owned.
template<class T>
class HeapObjects {
public:
    using Heap = memory::KernelHeap;

    HeapObjects() = default;
    /// Each is made of `arguments`. Errors: those of the heap. O(count).
    template<class... Arguments>
    static Result<HeapObjects> create(Heap& heap, usize count, Arguments&&... arguments) {
        HeapObjects objects;
        if (count != 0) {
            objects.m_heap = &heap;
            objects.m_objects = {TRY(memory::allocate_room<T>(heap, count)), count};
            for (T& object : objects.m_objects) {
                std::construct_at(&object, arguments...);
            }
        }
        return objects;
    }
    HeapObjects(HeapObjects&& other) noexcept
        : m_heap(other.m_heap), m_objects(std::exchange(other.m_objects, {})) {}
    HeapObjects& operator=(HeapObjects&& other) noexcept {
        std::swap(m_heap, other.m_heap);
        std::swap(m_objects, other.m_objects);
        return *this;
    }
    HeapObjects(HeapObjects const&) = delete;
    HeapObjects& operator=(HeapObjects const&) = delete;
    ~HeapObjects() {
        if (!m_objects.empty()) {
            for (T& object : m_objects) {
                std::destroy_at(&object);
            }
            memory::free_room(*m_heap, m_objects.data());
        }
    }

    std::span<T> all() const { return m_objects; }

private:
    Heap* m_heap = nullptr;
    std::span<T> m_objects;
};

} // namespace twofold::lab
