// Any allocator of the kernel as the allocator of a container of the standard library
// ([allocator.requirements]). Hosted programs only; part of the installed package.
#pragma once

#include "core/memory/allocator.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <type_traits>

namespace twofold::adapters {

/// `std::vector<int, StandardAllocator<int, A>> numbers(StandardAllocator<int, A>(allocator))`. The
/// allocator outlives every container on it; containers take it along when they are copied, moved
/// or swapped. As thread-safe as the allocator.
///
/// Allocation throws std::bad_array_new_length where the number of bytes does not fit in a word,
/// and std::bad_alloc where the allocator answers with an error. Giving back what this allocator
/// did not hand out, or twice, is a failed check: it ends the program by name.
template<class T, memory::Allocator A>
class StandardAllocator {
public:
    using value_type = T;
    using propagate_on_container_copy_assignment = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    explicit StandardAllocator(A& allocator) noexcept : m_allocator(&allocator) {}
    /// The same allocator for another type; containers ask for nodes and tables of their own.
    template<class U>
    StandardAllocator(StandardAllocator<U, A> const& other) noexcept
        : m_allocator(&other.allocator()) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
            throw std::bad_array_new_length();
        }
        Bytes const size{std::max<std::size_t>(count * sizeof(T), 1)};
        Result<std::byte*> const block = m_allocator->allocate(size, Bytes{alignof(T)});
        if (!block) {
            throw std::bad_alloc();
        }
        return room_for<T>(block.value());
    }
    void deallocate(T* block, std::size_t) noexcept {
        Result<void> const freed = m_allocator->free(room_for<std::byte>(block));
        CHECK(freed.has_value());
    }

    A& allocator() const noexcept { return *m_allocator; }

    template<class U>
    friend bool operator==(StandardAllocator const& a, StandardAllocator<U, A> const& b) noexcept {
        return &a.allocator() == &b.allocator();
    }

private:
    A* m_allocator;
};

} // namespace twofold::adapters
