// The allocators that are ranked, each behind the same two operations, over one piece of memory:
// take(bytes) and give(block, bytes). What runs out of memory is nullptr.
#pragma once

#include "core/boot/boot.hpp"
#include "core/memory/memory.hpp"
#include "hal/memory.hpp"

#include <chosen_allocator.hpp> // made by the build: what TWOFOLD_HEAP names, or the guide's

namespace twofold::bench {

/// The memory that a subject hands out from: a block of the kernel's frames.
struct Ground {
    boot::Kernel& kernel;
    PhysAddr place;
    Bytes size;

    std::span<std::byte> bytes() const { return {hal::Memory::linear(place), size.value}; }
};

/// An allocator of blocks over a span.
template<memory::Allocator A>
class BlockSubject {
public:
    explicit BlockSubject(Ground const& ground) : m_allocator(ground.bytes()) {}

    std::byte* take(u64 bytes) {
        auto const taken = m_allocator.allocate(Bytes{bytes}, memory::default_alignment);
        return taken ? taken.value() : nullptr;
    }
    void give(std::byte* block, u64) { m_allocator.free(block).value(); }

private:
    A m_allocator;
};

/// The kernel's own heap.
class HeapSubject {
public:
    explicit HeapSubject(Ground const& ground) : m_heap(*ground.kernel.heap) {}

    std::byte* take(u64 bytes) {
        auto const taken = m_heap.allocate(Bytes{bytes}, memory::default_alignment);
        return taken ? taken.value() : nullptr;
    }
    void give(std::byte* block, u64) { m_heap.free(block).value(); }

private:
    memory::KernelHeap& m_heap;
};

/// The classic list under the debugging layer.
class CheckedSubject {
public:
    using Layer = memory::DebugAllocator<memory::ListHeap, memory::KernelDebugEnvironment>;

    explicit CheckedSubject(Ground const& ground)
        : m_list(ground.bytes()), m_layer(*Layer::create(m_list, handler).value()) {}
    ~CheckedSubject() { Layer::destroy(m_layer).value(); }
    CheckedSubject(CheckedSubject const&) = delete;
    CheckedSubject& operator=(CheckedSubject const&) = delete;

    std::byte* take(u64 bytes) {
        auto const taken = m_layer.allocate(Bytes{bytes}, memory::default_alignment);
        return taken ? taken.value() : nullptr;
    }
    void give(std::byte* block, u64) { m_layer.free(block).value(); }

private:
    static void damaged(void*, memory::Corruption const&) { UNREACHABLE(); }
    static constexpr memory::KernelDebugEnvironment::Handler handler{damaged, nullptr};

    memory::ListHeap m_list;
    Layer& m_layer;
};

/// An allocator of frames: whole pages, as many as are needed.
template<memory::FrameAllocator F>
class FrameSubject {
public:
    explicit FrameSubject(Ground const& ground)
        : m_range{ground.place, ground.size, hal::MemoryKind::usable},
          m_frames(*F::create({.free = std::span(&m_range, 1)}).value()) {}

    std::byte* take(u64 bytes) {
        u64 const pages = pages_of(bytes);
        auto const taken = pages == 1 ? m_frames.allocate(0u) : m_frames.allocate({.pages = pages});
        return taken ? hal::Memory::linear(taken.value()) : nullptr;
    }
    void give(std::byte* block, u64 bytes) {
        PhysAddr const place = hal::Memory::physical(block);
        u64 const pages = pages_of(bytes);
        (pages == 1 ? m_frames.free(place, 0u) : m_frames.free_pages(place, pages)).value();
    }

private:
    static u64 pages_of(u64 bytes) { return (bytes - 1) / page_size.value + 1; }

    hal::MemoryRange m_range;
    F& m_frames;
};

} // namespace twofold::bench
