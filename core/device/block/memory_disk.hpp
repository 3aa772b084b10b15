// A disk in memory: frames of the kernel, or a piece of memory that is there already, as a module
// of the image. It forgets all when it is closed.
//
// A request is performed inside of `submit`, by copying: the copy is the medium. Its end is told in
// context work (completions.hpp), as any device's.
#pragma once

#include "core/device/block/completions.hpp"

#include <span>

namespace twofold::block {

class MemoryDisk final : public Device {
public:
    static constexpr u32 sector_bytes = 512;
    static constexpr u64 chunk_bytes = u64{1} << 18; ///< what the disk's memory is taken in

    /// A disk of zeros, in memory of the heap until it is closed. `size` is a number of sectors.
    /// Context thread. Errors: invalid_argument, out_of_memory. O(size).
    static Result<MemoryDisk*> create(
        memory::KernelHeap& heap,
        memory::BuddyFrames& frames,
        Completions& completions,
        std::string_view name,
        Bytes size);
    /// A disk that reads as `memory`, which outlives it, and cannot be written. What is left over
    /// behind the last whole sector is not seen. Errors: the same.
    static Result<MemoryDisk*> over(
        memory::KernelHeap& heap,
        Completions& completions,
        std::string_view name,
        std::span<std::byte const> memory);

    Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return m_name; }
    Result<void> submit(Request& request) override;
    u32 poll() override { return m_completions.take(); }
    void close() override;

private:
    MemoryDisk(memory::KernelHeap& heap, Completions& completions)
        : m_heap(heap), m_completions(completions) {}
    ~MemoryDisk() = default;

    static Result<MemoryDisk*>
    make(memory::KernelHeap& heap, Completions& completions, std::string_view name, u64 sectors);
    Result<void> take_memory(memory::BuddyFrames& frames);
    template<class Visit>
    void for_each_piece(u64 at, u64 bytes, Visit const& visit) const;
    void perform(Request const& request);

    memory::KernelHeap& m_heap;
    Completions& m_completions;
    FixedString<24> m_name;
    Geometry m_geometry;
    memory::BuddyFrames* m_frames = nullptr; ///< that the chunks are of
    std::span<PhysAddr> m_chunks;
    std::span<std::byte const> m_fixed; ///< or what it reads as
};

} // namespace twofold::block
