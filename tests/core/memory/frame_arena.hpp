// Memory of the running kernel for allocators of frames that a test makes itself: one block that
// is taken from the kernel and given back, and an allocator over parts of it.
#pragma once

#include "core/boot/boot.hpp"
#include "core/memory/memory.hpp"
#include "tests/support/test.hpp"

#include <initializer_list>

namespace twofold::memory {

/// A block of the kernel's memory, 2^Order frames.
class Arena {
public:
    static constexpr unsigned default_order = 12; // 16 MiB

    explicit Arena(unsigned order = default_order)
        : m_order(order), m_base(boot::current_kernel().frames->allocate(order).value()) {}
    ~Arena() { boot::current_kernel().frames->free(m_base, m_order).value(); }
    Arena(Arena const&) = delete;
    Arena& operator=(Arena const&) = delete;

    /// The address of page `index` of the arena.
    PhysAddr page(u64 index) const { return m_base + page_size * index; }
    u64 pages() const { return u64{1} << m_order; }
    /// [first, end) of the arena's pages.
    hal::MemoryRange
    range(u64 first, u64 end, hal::MemoryKind kind = hal::MemoryKind::usable) const {
        return {page(first), page_size * (end - first), kind};
    }
    hal::MemoryRange whole() const { return range(0, pages()); }

private:
    unsigned m_order;
    PhysAddr m_base;
};

/// An allocator over `free`. It lives in the arena, so nothing has to be destroyed.
template<class F>
F& make_frames(std::initializer_list<hal::MemoryRange> free) {
    return *F::create({.free = {free.begin(), free.size()}}).value();
}

} // namespace twofold::memory
