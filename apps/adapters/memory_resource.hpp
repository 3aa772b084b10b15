// Any allocator of the kernel as a std::pmr::memory_resource, so that the containers of the
// standard library run on it. Hosted programs only; part of the installed package.
#pragma once

#include "core/memory/allocator.hpp"

#include <algorithm>
#include <memory_resource>
#include <new>

namespace twofold::adapters {

/// The allocator outlives the resource, which outlives what it handed out. As thread-safe as the
/// allocator.
///
/// Allocation throws std::bad_alloc where the allocator answers with an error: out of memory, or an
/// alignment that is no power of two. Zero bytes take the least block there is. Giving back what
/// this allocator did not hand out, or twice, is a failed check: it ends the program by name.
template<memory::Allocator A>
class MemoryResource final : public std::pmr::memory_resource {
public:
    explicit MemoryResource(A& allocator) : m_allocator(&allocator) {}

    A& allocator() const { return *m_allocator; }

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        Bytes const wanted{std::max<std::size_t>(size, 1)};
        Result<std::byte*> const block = m_allocator->allocate(wanted, Bytes{alignment});
        if (!block) {
            throw std::bad_alloc();
        }
        return block.value();
    }
    void do_deallocate(void* block, std::size_t, std::size_t) override {
        Result<void> const freed = m_allocator->free(static_cast<std::byte*>(block));
        CHECK(freed.has_value());
    }
    bool do_is_equal(std::pmr::memory_resource const& other) const noexcept override {
        auto const* const same = dynamic_cast<MemoryResource const*>(&other);
        return same != nullptr && same->m_allocator == m_allocator;
    }

    A* m_allocator;
};

} // namespace twofold::adapters
