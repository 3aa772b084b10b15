// See memory_object.hpp.
#include "core/memory/space/memory_object.hpp"

#include "core/memory/space/frame_view.hpp"

#include <new>

namespace twofold::memory {

static_assert(sizeof(MemoryObject) <= page_size.value);

Result<MemoryObjectReference> MemoryObject::create(SharedFrames& frames, Bytes size) {
    if (size.value == 0 || !is_aligned(size.value, page_size.value) || size > size_max) {
        return Error::invalid_argument;
    }
    PhysAddr const home = TRY(frames.allocate(0));
    auto* const object =
        new (frame_object<void>(home)) MemoryObject(frames, size.value / page_size.value);
    return MemoryObjectReference(*object);
}

Result<PhysAddr> MemoryObject::frame(u64 number) {
    CHECK(number < m_pages);
    if (auto const present = m_index.get(number)) {
        return *present;
    }
    PhysAddr const fresh = TRY(m_frames.allocate_zeroed(0));
    auto const kept = keep(number, fresh);
    if (!kept || kept.value() != fresh) {
        m_frames.release(fresh, 0);
    }
    return kept;
}

/// Makes `fresh` the frame of a page, unless it has got another one meanwhile.
Result<PhysAddr> MemoryObject::keep(u64 number, PhysAddr fresh) {
    FrameStock stock(m_frames);
    while (true) {
        TRY(stock.refill());
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        if (auto const present = m_index.get(number)) {
            return *present;
        }
        if (m_index.set(number, fresh, stock)) {
            return fresh;
        }
        CHECK(stock.is_short());
    }
}

void MemoryObject::retain() {
    u64 const before = m_references.fetch_add(1, relaxed);
    CHECK(before > 0);
}

void MemoryObject::release(MemoryObject& object) {
    u64 const before = object.m_references.fetch_sub(1, acquire_release);
    CHECK(before > 0);
    if (before == 1) {
        SharedFrames& frames = object.m_frames;
        PhysAddr const home = frame_of(&object);
        std::destroy_at(&object);
        frames.release(home, 0);
    }
}

} // namespace twofold::memory
