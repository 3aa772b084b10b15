// The baseline allocator of frames.
#include "core/memory/frames/bitmap_frames.hpp"

#include "core/memory/frames/blocks.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <new>

namespace twofold::memory {

namespace {

/// The lowest piece of `frames` frames that lies in no zone below 1 MiB, if there is one.
std::optional<FrameNumber>
find_piece(FrameConfig const& config, ZonePlans const& plans, u64 frames) {
    std::optional<FrameNumber> found;
    for (ZonePlan const& plan : plans.zones()) {
        ZonePlans::for_each_piece(config.free, plan, [&](FrameNumber begin, FrameNumber end) {
            if (!found && plan.reach != ZoneReach::first_mebibyte && end - begin >= frames) {
                found = begin;
            }
        });
    }
    return found;
}

} // namespace

void BitmapFrames::Bits::assign(u64 begin, u64 end, bool value) {
    for (u64 index = begin; index < end;) {
        u64 const count = std::min(end - index, 64 - index % 64);
        u64 const mask = (count == 64 ? ~u64{0} : (u64{1} << count) - 1) << index % 64;
        u64& word = m_words[index / 64];
        word = value ? word | mask : word & ~mask;
        index += count;
    }
}

u64 BitmapFrames::Bits::find(u64 begin, u64 end, bool value) const {
    for (u64 index = begin; index < end;) {
        u64 const word = value ? m_words[index / 64] : ~m_words[index / 64];
        u64 const rest = word >> index % 64;
        if (rest != 0) {
            return std::min(end, index + static_cast<u64>(std::countr_zero(rest)));
        }
        index += 64 - index % 64;
    }
    return end;
}

Result<BitmapFrames*> BitmapFrames::create(FrameConfig const& config) {
    ZonePlans const plans = TRY(ZonePlans::create(config.free, config.nodes));
    if (config.cpus == 0) {
        return Error::invalid_argument;
    }
    if (plans.zones().empty()) {
        return Error::out_of_memory;
    }
    FrameNumber const first = plans.zones().front().first;
    FrameNumber const end = plans.zones().back().end;
    u64 const words = (end - first + 63) / 64;
    Bytes const size = align_up(
        Bytes{sizeof(BitmapFrames) + alignof(BitmapFrames) + 3 * words * sizeof(u64)}, page_size);
    u64 const own_frames = size / page_size;
    auto const own = find_piece(config, plans, own_frames);
    if (!own) {
        return Error::out_of_memory;
    }
    StorageCursor storage({hal::Memory::linear(address_of(*own)), size.value});
    auto const place = TRY(storage.take_bytes(sizeof(BitmapFrames), alignof(BitmapFrames)));
    auto* const frames = new (place.data()) BitmapFrames(first, end);
    sync::SpinLockGuard const guard(frames->m_lock, sync::interrupts_stay_on);
    for (Bits* const bits : {&frames->m_managed, &frames->m_free, &frames->m_starts}) {
        bits->adopt(TRY(storage.take<u64>(words)));
    }
    for (ZonePlan const& plan : plans.zones()) {
        ZonePlans::for_each_piece(config.free, plan, [&](FrameNumber from, FrameNumber to) {
            frames->m_lock.assert_held();
            FrameNumber const begin = from == *own ? from + own_frames : from;
            frames->m_managed.assign(begin - first, to - first, true);
            frames->m_free.assign(begin - first, to - first, true);
            frames->m_counts.frames += to - begin;
        });
    }
    frames->m_counts.free_frames = frames->m_counts.frames;
    frames->m_counts.metadata = size;
    frames->m_lowest = std::max(first, mebibyte_end);
    return frames->m_counts.frames == 0 ? Result<BitmapFrames*>(Error::out_of_memory) : frames;
}

Result<PhysAddr> BitmapFrames::allocate(unsigned order) {
    if (order > max_order) {
        return Error::invalid_argument;
    }
    u64 const pages = u64{1} << order;
    return allocate({.pages = pages, .alignment = page_size * pages});
}

Result<PhysAddr> BitmapFrames::allocate(FrameRequest const& request) {
    if (!is_sensible(request)) {
        return Error::invalid_argument;
    }
    PhysAddr address{0};
    {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        Result<FrameNumber> const taken = request.at ? take_there(request) : take(request);
        if (!taken) {
            ++m_counts.failures;
            return taken.error();
        }
        u64 const begin = taken.value() - m_first;
        m_free.assign(begin, begin + request.pages, false);
        m_starts.assign(begin, begin + 1, true);
        m_counts.free_frames -= request.pages;
        ++m_counts.allocations;
        address = address_of(taken.value());
    }
    if (request.content == FrameContent::zeroed) {
        zero_frames(address, request.pages);
    }
    return address;
}

Result<FrameNumber> BitmapFrames::take_there(FrameRequest const& request) {
    FrameNumber const begin = frame_of(*request.at);
    bool const inside = begin >= m_first && begin < m_end && request.pages <= m_end - begin;
    if (!inside || (request.node && *request.node != 0)) {
        return Error::out_of_range;
    }
    u64 const from = begin - m_first;
    u64 const to = from + request.pages;
    if (m_managed.find(from, to, false) != to) {
        return Error::out_of_range;
    }
    return m_free.find(from, to, false) == to ? Result<FrameNumber>(begin) : Error::busy;
}

std::optional<FrameNumber>
BitmapFrames::search(FrameRequest const& request, FrameNumber begin, FrameNumber end) const {
    u64 const alignment = request.alignment / page_size;
    FrameNumber at = align_up(begin, alignment);
    while (at < end && request.pages <= end - at) {
        u64 const from = at - m_first;
        u64 const to = from + request.pages;
        u64 const taken = m_free.find(from, to, false);
        if (taken == to) {
            return at;
        }
        at = align_up(m_first + m_free.find(taken, m_end - m_first, true), alignment);
    }
    return std::nullopt;
}

Result<FrameNumber> BitmapFrames::take(FrameRequest const& request) {
    if (request.node && *request.node != 0) {
        return Error::out_of_memory;
    }
    FrameNumber const limit = std::min(m_end, frame_of(request.limit));
    m_lowest = m_first + m_free.find(std::min(m_lowest, m_end) - m_first, m_end - m_first, true);
    if (auto const high = search(request, m_lowest, limit)) {
        return *high;
    }
    // The first mebibyte only when nothing else is left; a run may reach across its end.
    if (auto const any = search(request, m_first, limit)) {
        return *any;
    }
    return Error::out_of_memory;
}

Result<void> BitmapFrames::free(PhysAddr address, unsigned order) {
    u64 const pages = order > max_order ? 0 : u64{1} << order;
    return give_back(address, pages, page_size * std::max(pages, u64{1}));
}

Result<void> BitmapFrames::free_pages(PhysAddr address, u64 pages) {
    return give_back(address, pages, page_size);
}

Result<void> BitmapFrames::give_back(PhysAddr address, u64 pages, Bytes alignment) {
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    FrameMisuse misuse = FrameMisuse::none;
    if (pages == 0 || pages > MemoryMap::address_end / page_size.value) {
        misuse = FrameMisuse::bad_order;
    } else if (!is_aligned(address, alignment)) {
        misuse = FrameMisuse::misaligned;
    } else {
        misuse = misuse_of(frame_of(address), pages);
    }
    if (misuse != FrameMisuse::none) {
        ++m_counts.misuses[static_cast<usize>(misuse)];
        return misuse_error(misuse);
    }
    FrameNumber const frame = frame_of(address);
    u64 const begin = frame - m_first;
    m_free.assign(begin, begin + pages, true);
    m_starts.assign(begin, begin + 1, false);
    m_counts.free_frames += pages;
    ++m_counts.frees;
    if (frame + pages > mebibyte_end) {
        m_lowest = std::min(m_lowest, std::max(frame, mebibyte_end));
    }
    return {};
}

FrameMisuse BitmapFrames::misuse_of(FrameNumber begin, u64 pages) const {
    if (begin < m_first || begin >= m_end) {
        return FrameMisuse::foreign;
    }
    u64 const from = begin - m_first;
    if (!m_managed.test(from)) {
        return FrameMisuse::reserved;
    }
    if (m_free.test(from)) {
        return FrameMisuse::double_free;
    }
    if (!m_starts.test(from)) {
        return FrameMisuse::inside_block;
    }
    // The allocation ends where another starts, at a free frame, or at one that is not managed.
    u64 const span = m_end - m_first;
    u64 const end = std::min(
        {m_starts.find(from + 1, span, true), m_free.find(from + 1, span, true),
         m_managed.find(from + 1, span, false)});
    return end - from == pages ? FrameMisuse::none : FrameMisuse::wrong_size;
}

FrameStatistics BitmapFrames::statistics() const {
    FrameStatistics total;
    {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        total = m_counts;
    }
    u64 const span = m_end - m_first;
    for (u64 from = 0; from < span;) {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        u64 const begin = m_free.find(from, span, true);
        u64 const end = m_free.find(begin, span, false);
        for (Block const block : Blocks(m_first + begin, m_first + end)) {
            ++total.free_blocks[block.order];
        }
        from = end;
    }
    return total;
}

/// Goes on to look at the frames [begin, end).
FrameDefect BitmapFrames::validate_part(FrameNumber begin, FrameNumber end, Seen& seen) const {
    for (FrameNumber frame = begin; frame < end; ++frame) {
        u64 const index = frame - m_first;
        seen.managed += m_managed.test(index) ? 1 : 0;
        seen.free += m_free.test(index) ? 1 : 0;
        if (!m_managed.test(index) && (m_free.test(index) || m_starts.test(index))) {
            return {"a reserved frame is free or allocated", address_of(frame)};
        }
        if (m_free.test(index) && m_starts.test(index)) {
            return {"a free frame begins an allocation", address_of(frame)};
        }
        bool const used = m_managed.test(index) && !m_free.test(index);
        if (used && !seen.in_allocation && !m_starts.test(index)) {
            return {"an allocation has no first frame", address_of(frame)};
        }
        seen.in_allocation = used;
        if (m_free.test(index) && frame >= mebibyte_end && frame < m_lowest) {
            return {"a free frame lies below the lowest", address_of(frame)};
        }
    }
    return {};
}

FrameDefect BitmapFrames::validate() const {
    constexpr u64 at_once = 16; // the lock is held meanwhile
    Seen seen;
    for (FrameNumber frame = m_first; frame < m_end; frame += at_once) {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        FrameNumber const end = std::min(m_end, frame + at_once);
        if (FrameDefect const defect = validate_part(frame, end, seen); defect.found()) {
            return defect;
        }
    }
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    if (seen.managed != m_counts.frames || seen.free != m_counts.free_frames) {
        return {"other frames are counted than there are", address_of(m_first)};
    }
    return {};
}

} // namespace twofold::memory
