// AnyAllocator: an allocator of the kernel whose type is not known where it is used, so that the
// shell is compiled once and not for each allocator. Models the same concept.
#pragma once

#include "core/memory/allocator.hpp"

namespace twofold::shell {

/// Refers to an allocator, which outlives it. As thread-safe as that one. Each call costs one
/// indirect call more.
class AnyAllocator {
public:
    template<memory::Allocator A>
        requires(!std::same_as<A, AnyAllocator>)
    explicit AnyAllocator(A& allocator)
        : m_allocator(&allocator), m_operations(&operations_of<A>) {}

    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        return m_operations->allocate(m_allocator, size, alignment);
    }
    Result<void> free(std::byte* block) { return m_operations->free(m_allocator, block); }
    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment) {
        return m_operations->resize(m_allocator, block, size, alignment);
    }
    Result<Bytes> usable_size(std::byte* block) {
        return m_operations->usable_size(m_allocator, block);
    }
    memory::AllocatorStatistics statistics() const { return m_operations->statistics(m_allocator); }
    Result<void> verify() { return m_operations->verify(m_allocator); }

private:
    struct Operations {
        Result<std::byte*> (*allocate)(void*, Bytes, Bytes);
        Result<void> (*free)(void*, std::byte*);
        Result<std::byte*> (*resize)(void*, std::byte*, Bytes, Bytes);
        Result<Bytes> (*usable_size)(void*, std::byte*);
        memory::AllocatorStatistics (*statistics)(void const*);
        Result<void> (*verify)(void*);
    };

    template<class A>
    static constexpr Operations operations_of{
        [](void* of, Bytes size, Bytes alignment) {
            return static_cast<A*>(of)->allocate(size, alignment);
        },
        [](void* of, std::byte* block) { return static_cast<A*>(of)->free(block); },
        [](void* of, std::byte* block, Bytes size, Bytes alignment) {
            return static_cast<A*>(of)->resize(block, size, alignment);
        },
        [](void* of, std::byte* block) { return static_cast<A*>(of)->usable_size(block); },
        [](void const* of) { return static_cast<A const*>(of)->statistics(); },
        [](void* of) { return static_cast<A*>(of)->verify(); }};

    void* m_allocator;
    Operations const* m_operations;
};
static_assert(memory::Allocator<AnyAllocator>);

} // namespace twofold::shell
