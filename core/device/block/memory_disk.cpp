// See memory_disk.hpp.
#include "core/device/block/memory_disk.hpp"

#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::block {

namespace {

constexpr u64 chunk_pages = MemoryDisk::chunk_bytes / page_size.value;

std::byte* bytes_at(PhysAddr place) {
    return hal::Memory::linear(place);
}

} // namespace

Result<MemoryDisk*> MemoryDisk::make(
    memory::KernelHeap& heap, Completions& completions, std::string_view name, u64 sectors) {
    if (sectors == 0) {
        return Error::invalid_argument;
    }
    auto const kept = TRY(FixedString<24>::create(name));
    auto* const room = TRY(memory::allocate_room<MemoryDisk>(heap, 1));
    auto* const disk = new (room) MemoryDisk(heap, completions);
    disk->m_name = kept;
    disk->m_geometry = {
        .sectors = sectors,
        .sector_bytes = sector_bytes,
        .physical_sector_bytes = sector_bytes,
        .sectors_max = 1u << 16,
        .segments_max = 256,
        .can_deallocate = true,
        .can_write_zeroes = true};
    return disk;
}

Result<MemoryDisk*> MemoryDisk::create(
    memory::KernelHeap& heap,
    memory::BuddyFrames& frames,
    Completions& completions,
    std::string_view name,
    Bytes size) {
    if (!is_aligned(size.value, sector_bytes)) {
        return Error::invalid_argument;
    }
    MemoryDisk* const disk = TRY(make(heap, completions, name, size.value / sector_bytes));
    if (auto const taken = disk->take_memory(frames); !taken) {
        disk->close();
        return taken.error();
    }
    return disk;
}

Result<MemoryDisk*> MemoryDisk::over(
    memory::KernelHeap& heap,
    Completions& completions,
    std::string_view name,
    std::span<std::byte const> memory) {
    MemoryDisk* const disk = TRY(make(heap, completions, name, memory.size() / sector_bytes));
    disk->m_fixed = memory;
    disk->m_geometry.is_read_only = true;
    return disk;
}

Result<void> MemoryDisk::take_memory(memory::BuddyFrames& frames) {
    u64 const bytes = m_geometry.sectors * sector_bytes;
    u64 const count = align_up(bytes, chunk_bytes) / chunk_bytes;
    PhysAddr* const room = TRY(memory::allocate_room<PhysAddr>(m_heap, count));
    std::uninitialized_fill_n(room, count, PhysAddr{});
    m_chunks = {room, count};
    m_frames = &frames;
    for (PhysAddr& chunk : m_chunks) {
        chunk =
            TRY(frames.allocate({.pages = chunk_pages, .content = memory::FrameContent::zeroed}));
    }
    return {};
}

void MemoryDisk::close() {
    for (PhysAddr const chunk : m_chunks) {
        if (chunk != PhysAddr{}) { // frame 0 is never given out
            m_frames->free_pages(chunk, chunk_pages).value();
        }
    }
    if (!m_chunks.empty()) {
        memory::free_room(m_heap, m_chunks.data());
    }
    memory::KernelHeap& heap = m_heap;
    this->~MemoryDisk();
    memory::free_room(heap, this);
}

/// Calls visit(memory, offset, bytes) for each contiguous piece of the disk's memory, from byte
/// `at` on, with how far from there it is.
template<class Visit>
void MemoryDisk::for_each_piece(u64 at, u64 bytes, Visit const& visit) const {
    for (u64 done = 0; done < bytes;) {
        u64 const inside = (at + done) & (chunk_bytes - 1);
        u64 const step = std::min(bytes - done, chunk_bytes - inside);
        visit(bytes_at(m_chunks[(at + done) / chunk_bytes] + Bytes{inside}), done, step);
        done += step;
    }
}

void MemoryDisk::perform(Request const& request) {
    u64 at = request.sector * sector_bytes;
    if (!has_data(request.operation)) {
        u64 const bytes = u64{request.count} * sector_bytes; // none, of a flush
        for_each_piece(
            at, bytes, [](std::byte* medium, u64, u64 size) { std::memset(medium, 0, size); });
        return;
    }
    bool const is_read = request.operation == Operation::read;
    for (Segment const& segment : request.segments) {
        if (!m_fixed.empty()) {
            auto const medium = m_fixed.subspan(at, segment.bytes);
            std::memcpy(bytes_at(segment.address), medium.data(), medium.size());
        } else {
            for_each_piece(at, segment.bytes, [&](std::byte* medium, u64 offset, u64 size) {
                std::byte* const memory = bytes_at(segment.address + Bytes{offset});
                std::memcpy(is_read ? memory : medium, is_read ? medium : memory, size);
            });
        }
        at += segment.bytes;
    }
}

Result<void> MemoryDisk::submit(Request& request) {
    TRY(check(request, m_geometry));
    perform(request);
    m_completions.leave(request, {});
    return {};
}

} // namespace twofold::block
