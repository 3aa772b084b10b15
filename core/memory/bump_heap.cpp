// The bump allocator.
#include "core/memory/bump_heap.hpp"
#include "core/memory/resize.hpp"

#include <algorithm>

namespace twofold::memory {

BumpHeap::BumpHeap(std::span<std::byte> memory) : m_memory(memory) {
    // A heap that had this memory before has left headers; the first one of most lies here.
    u64 const base = heap::address_of(memory.data());
    u64 const first = align_up(base + sizeof(Header), unit) - sizeof(Header) - base;
    if (memory.size() >= first + sizeof(Header)) {
        m_salt = (read(first).seal + base) * 0x94D0'49BB'1331'11EB + 1;
    }
}

BumpHeap::Header BumpHeap::read(u64 place) const {
    Header header;
    std::memcpy(&header, m_memory.subspan(place).data(), sizeof(header));
    return header;
}

void BumpHeap::write(u64 place, Header header) {
    std::memcpy(m_memory.subspan(place).data(), &header, sizeof(header));
}

Result<std::byte*> BumpHeap::allocate(Bytes size, Bytes alignment) {
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    u64 const base = heap::address_of(m_memory.data());
    u64 const earliest = base + m_end + sizeof(Header);
    u64 const start = align_up(earliest, std::max(alignment.value, unit));
    u64 const at = start - base;
    u64 const kept = align_up(size.value, unit);
    bool const fits = start >= earliest && at <= m_memory.size() && kept >= size.value &&
                      kept <= m_memory.size() - at;
    if (!fits) {
        return Error::out_of_memory;
    }
    write(at - sizeof(Header), {kept, m_last, seal_of(at)});
    m_last = at - sizeof(Header);
    m_end = at + kept;
    m_statistics.requested_ever += size;
    m_statistics.reserved_ever += Bytes{kept};
    m_statistics.reserved += Bytes{kept};
    return m_memory.subspan(at).data();
}

/// Where the header of a live block lies.
Result<u64> BumpHeap::place_of(std::byte* block) const {
    u64 const at = heap::address_of(block) - heap::address_of(m_memory.data());
    if (at >= m_memory.size()) {
        return Error::out_of_range;
    }
    if (at >= m_end) {
        return Error::invalid_state; // given back, or never taken
    }
    bool const aligned = is_aligned(heap::address_of(block), unit);
    if (!aligned || at < sizeof(Header) || read(at - sizeof(Header)).seal != seal_of(at)) {
        return Error::invalid_argument;
    }
    u64 const place = at - sizeof(Header);
    return (read(place).size & freed) != 0 ? Result<u64>(Error::invalid_state) : Result<u64>(place);
}

Result<void> BumpHeap::free(std::byte* block) {
    u64 const place = TRY(place_of(block));
    Header header = read(place);
    m_statistics.reserved = m_statistics.reserved - Bytes{header.size};
    header.size |= freed;
    write(place, header);
    while (m_last != none && (read(m_last).size & freed) != 0) {
        m_end = m_last;
        m_last = read(m_end).previous;
        write(m_end, {});
    }
    if (m_last == none) {
        m_end = 0;
    }
    return {};
}

Result<Bytes> BumpHeap::usable_size(std::byte* block) {
    return Bytes{read(TRY(place_of(block))).size};
}

Result<std::byte*> BumpHeap::resize(std::byte* block, Bytes size, Bytes alignment) {
    return resize_by_moving(*this, block, size, alignment);
}

AllocatorStatistics BumpHeap::statistics() const {
    AllocatorStatistics found = m_statistics;
    found.committed = {m_memory.size()};
    return found;
}

Result<void> BumpHeap::verify() {
    u64 live = 0;
    u64 end = m_end;
    u64 place = m_last;
    while (place != none) {
        Header const header = read(place);
        u64 const size = header.size & ~freed;
        u64 const at = place + sizeof(Header);
        bool const good = header.seal == seal_of(at) && at + size <= end &&
                          (header.previous == none || header.previous < place);
        if (!good) {
            return Error::corrupted;
        }
        live += (header.size & freed) != 0 ? 0 : size;
        end = place;
        place = header.previous;
    }
    return live == m_statistics.reserved.value ? Result<void>() : Result<void>(Error::corrupted);
}

} // namespace twofold::memory
