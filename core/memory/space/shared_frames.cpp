// See shared_frames.hpp.
#include "core/memory/space/shared_frames.hpp"

#include "core/memory/space/frame_view.hpp"

namespace twofold::memory {

SharedFrames::Count& SharedFrames::count(PhysAddr frame) const {
    u64 const number = frame.value / page_size.value;
    CHECK(is_aligned(frame, page_size) && number < m_counts.size());
    return m_counts[number];
}

Result<PhysAddr> SharedFrames::allocate(unsigned order) {
    if (probe::fails(FaultPoint::spaces_frame)) {
        return Error::out_of_memory;
    }
    PhysAddr const block = TRY(m_source.allocate(order));
    CHECK(is_aligned(block, block_size(order)));
    m_in_use.fetch_add(u64{1} << order, relaxed);
    return block;
}

Result<PhysAddr> SharedFrames::allocate_zeroed(unsigned order) {
    PhysAddr const block = TRY(allocate(order));
    hal::Memory::zero_pages(hal::Memory::linear(block), block_size(order));
    return block;
}

void SharedFrames::share(PhysAddr block, unsigned order) {
    for (u64 page = 0; page < u64{1} << order; ++page) {
        u32 const before = count(block + page_size * page).fetch_add(1, relaxed);
        CHECK(before != ~u32{0});
    }
}

bool SharedFrames::is_shared(PhysAddr block, unsigned order) const {
    for (u64 page = 0; page < u64{1} << order; ++page) {
        // Acquire: what the former owner read happened before the last one writes.
        if (count(block + page_size * page).load(acquire) != 0) {
            return true;
        }
    }
    return false;
}

void SharedFrames::release(PhysAddr block, unsigned order) {
    for (u64 page = 0; page < u64{1} << order; ++page) {
        PhysAddr const frame = block + page_size * page;
        u32 others = count(frame).load(acquire);
        while (others != 0 &&
               !count(frame).compare_exchange(others, others - 1, acquire_release, acquire)) {
        }
        if (others == 0) {
            give_back(frame);
        }
    }
}

void SharedFrames::give_back(PhysAddr frame) {
    u64 const before = m_in_use.fetch_sub(1, relaxed);
    CHECK(before != 0);
    Result<void> const freed = m_source.free(frame);
    CHECK(freed.has_value()); // it was ours: somebody has lost count
}

} // namespace twofold::memory
