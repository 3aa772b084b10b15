// The first-fit allocator.
#include "core/memory/list_heap.hpp"
#include "core/memory/resize.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::memory {

ListHeap::ListHeap(std::span<std::byte> memory) {
    u64 const base = heap::address_of(memory.data());
    u64 const skipped = align_up(base, unit) - base;
    u64 const usable = memory.size() < skipped ? 0 : align_down(memory.size() - skipped, unit);
    if (usable >= sizeof(Header) + unit) {
        m_memory = memory.subspan(skipped, usable);
        m_first = 0;
        // A heap that had this memory before has left headers; its first one is here.
        m_salt = (read(0).seal + heap::address_of(m_memory.data())) * 0x94D0'49BB'1331'11EB + 1;
        write(0, {usable - sizeof(Header), none, free_seal(0), 0});
    }
}

ListHeap::Header ListHeap::read(u64 place) const {
    Header header;
    std::memcpy(&header, m_memory.subspan(place).data(), sizeof(header));
    return header;
}

void ListHeap::write(u64 place, Header const& header) {
    std::memcpy(m_memory.subspan(place).data(), &header, sizeof(header));
}

void ListHeap::set_next(u64 place, u64 next) {
    if (place == none) {
        m_first = next;
        return;
    }
    Header header = read(place);
    header.next = next;
    write(place, header);
}

Result<u64> ListHeap::skip_for(u64 place, u64 alignment) const {
    u64 const start = heap::address_of(m_memory.data()) + place + sizeof(Header);
    u64 aligned = align_up(start, alignment);
    // What is skipped becomes a free block of its own, so it holds a header and a unit at least.
    while (aligned >= start && aligned != start && aligned - start < sizeof(Header) + unit) {
        aligned += alignment;
    }
    return aligned < start ? Result<u64>(Error::out_of_memory) : Result<u64>(aligned - start);
}

Result<std::byte*> ListHeap::allocate(Bytes size, Bytes alignment) {
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    u64 const wanted = align_up(size.value, unit);
    if (wanted < size.value) {
        return Error::out_of_memory;
    }
    u64 previous = none;
    for (u64 place = m_first; place != none; previous = place, place = read(place).next) {
        Header const header = read(place);
        CHECK(header.seal == free_seal(place));
        Result<u64> const skip = skip_for(place, std::max(alignment.value, unit));
        if (skip && skip.value() <= header.size && header.size - skip.value() >= wanted) {
            std::byte* const block = take(previous, place, skip.value(), wanted);
            m_statistics.requested_ever += size;
            return block;
        }
    }
    return Error::out_of_memory;
}

/// Takes `wanted` bytes behind the first `skip` of the free block at `place`; what is left on
/// either side stays free.
std::byte* ListHeap::take(u64 previous, u64 place, u64 skip, u64 wanted) {
    Header front = read(place);
    if (skip != 0) { // the block in front keeps its place in the list
        u64 const behind = place + skip;
        write(behind, {front.size - skip, front.next, free_seal(behind), 0});
        write(place, {skip - sizeof(Header), behind, free_seal(place), 0});
        previous = place;
        place = behind;
        front = read(place);
    }
    u64 next = front.next;
    if (front.size - wanted >= sizeof(Header) + unit) {
        u64 const behind = place + sizeof(Header) + wanted;
        write(behind, {front.size - wanted - sizeof(Header), next, free_seal(behind), 0});
        next = behind;
        front.size = wanted;
    }
    set_next(previous, next);
    write(place, {front.size, none, live_seal(place), 0});
    m_statistics.reserved += Bytes{front.size};
    m_statistics.reserved_ever += Bytes{front.size};
    return m_memory.subspan(place + sizeof(Header)).data();
}

/// Where the header of a live block lies.
Result<u64> ListHeap::place_of(std::byte* block) const {
    u64 const at = heap::address_of(block) - heap::address_of(m_memory.data());
    if (at >= m_memory.size()) {
        return Error::out_of_range;
    }
    if (at < sizeof(Header) || !is_aligned(at, unit)) {
        return Error::invalid_argument;
    }
    u64 const place = at - sizeof(Header);
    u64 const seal = read(place).seal;
    if (seal == live_seal(place)) {
        return place;
    }
    if (seal == free_seal(place)) {
        return Error::invalid_state;
    }
    // A header that was merged into the free block before it is gone; so is what lay there.
    for (u64 one = m_first; one != none && one < place; one = read(one).next) {
        if (place - one < sizeof(Header) + read(one).size) {
            return Error::invalid_state;
        }
    }
    return Error::invalid_argument;
}

Result<void> ListHeap::free(std::byte* block) {
    u64 const place = TRY(place_of(block));
    Header header = read(place);
    m_statistics.reserved = m_statistics.reserved - Bytes{header.size};
    u64 previous = none;
    u64 next = m_first;
    while (next != none && next < place) {
        previous = next;
        next = read(next).next;
    }
    header = {header.size, next, free_seal(place), 0};
    if (next != none && place + sizeof(Header) + header.size == next) {
        Header const behind = read(next);
        header.size += sizeof(Header) + behind.size;
        header.next = behind.next;
        erase(next);
    }
    write(place, header);
    if (previous == none) {
        m_first = place;
        return {};
    }
    Header before = read(previous);
    before.next = place;
    if (previous + sizeof(Header) + before.size == place) {
        before.size += sizeof(Header) + header.size;
        before.next = header.next;
        erase(place);
    }
    write(previous, before);
    return {};
}

Result<Bytes> ListHeap::usable_size(std::byte* block) {
    return Bytes{read(TRY(place_of(block))).size};
}

Result<std::byte*> ListHeap::resize(std::byte* block, Bytes size, Bytes alignment) {
    return resize_by_moving(*this, block, size, alignment);
}

AllocatorStatistics ListHeap::statistics() const {
    AllocatorStatistics found = m_statistics;
    found.committed = {m_memory.size()};
    return found;
}

Result<void> ListHeap::verify() {
    u64 expected_free = m_first;
    u64 live = 0;
    bool after_free = false;
    for (u64 place = 0; place < m_memory.size();) {
        Header const header = read(place);
        bool const is_free = header.seal == free_seal(place);
        bool const known = is_free || header.seal == live_seal(place);
        bool const good = known && header.size <= m_memory.size() - place - sizeof(Header) &&
                          is_free == (place == expected_free) && !(is_free && after_free);
        if (!good) {
            return Error::corrupted;
        }
        live += is_free ? 0 : header.size;
        expected_free = is_free ? header.next : expected_free;
        after_free = is_free;
        place += sizeof(Header) + header.size;
    }
    bool const whole = expected_free == none && live == m_statistics.reserved.value;
    return whole ? Result<void>() : Result<void>(Error::corrupted);
}

} // namespace twofold::memory
