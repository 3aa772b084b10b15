// Making the allocator of frames: plan the zones, take the tables' memory from the zones
// themselves, and adopt what is left.
#include "core/memory/frames/buddy_frames_build.hpp"

#include "hal/memory.hpp"

#include <new>

namespace twofold::memory {

Result<BuddyFrames*> BuddyFrames::create(FrameConfig const& config) {
    Builder builder(config);
    return builder.build();
}

Result<BuddyFrames*> BuddyFrames::Builder::build() {
    if (m_config.cpus == 0) {
        return Error::invalid_argument;
    }
    ZonePlans const plans = TRY(ZonePlans::create(m_config.free, m_config.nodes));
    for (hal::MemoryRange const& range : m_config.free) {
        TRY(m_free.push_back(range));
    }
    BuddyFrames* const frames = TRY(place_object(plans));
    frames->m_left_out = plans.frames_left_out();
    for (ZonePlan const& plan : plans.zones()) {
        add_zone(*frames, plan);
    }
    if (frames->m_zones.empty()) {
        return Error::out_of_memory;
    }
    set_up_magazines(*frames);
    frames->m_metadata = m_taken;
    return frames;
}

Result<std::span<std::byte>> BuddyFrames::Builder::carve(Bytes size, ZonePlan const& within) {
    CHECK(is_aligned(size.value, page_size.value));
    Result<PhysAddr> found = Error::out_of_memory;
    ZonePlans::for_each_piece(m_free.items(), within, [&](FrameNumber begin, FrameNumber end) {
        if (!found && end - begin >= size / page_size) {
            found = address_of(begin);
        }
    });
    PhysAddr const base = TRY(found);
    for (hal::MemoryRange& range : m_free) {
        bool const holds = base >= range.base && base - range.base < range.size;
        if (!holds) {
            continue;
        }
        // What lies before belongs to another zone; it stays a range of its own.
        hal::MemoryRange const before{range.base, base - range.base, range.kind};
        range.size = range.size - before.size - size;
        range.base = base + size;
        if (before.size.value != 0) {
            TRY(m_free.push_back(before));
        }
        m_taken += size;
        return std::span(hal::Memory::linear(base), size.value);
    }
    UNREACHABLE(); // the piece was found in one of them
}

Result<BuddyFrames*> BuddyFrames::Builder::place_object(ZonePlans const& plans) {
    Bytes const size = align_up(
        Bytes{sizeof(BuddyFrames) + alignof(BuddyFrames)} + MagazineOf::storage_for(m_config.cpus),
        page_size);
    for (bool const low : {false, true}) {
        for (ZonePlan const& plan : plans.zones()) {
            if ((plan.reach == ZoneReach::first_mebibyte) != low) {
                continue;
            }
            if (auto const bytes = carve(size, plan)) {
                StorageCursor storage(bytes.value());
                auto const place =
                    TRY(storage.take_bytes(sizeof(BuddyFrames), alignof(BuddyFrames)));
                auto* const frames = new (place.data()) BuddyFrames();
                frames->m_magazines = TRY(MagazineOf::create(storage, m_config.cpus));
                return frames;
            }
        }
    }
    return Error::out_of_memory;
}

void BuddyFrames::Builder::add_zone(BuddyFrames& frames, ZonePlan const& plan) {
    Bytes const size = align_up(BuddyZone::storage_for(plan), page_size);
    bool const worth_it = plan.frames > size / page_size;
    auto const bytes = worth_it ? carve(size, plan) : Error::out_of_memory;
    if (!bytes) { // less memory in one piece than the tables need, or nothing beside them
        frames.m_left_out += plan.frames;
        return;
    }
    StorageCursor storage(bytes.value());
    auto const made = BuddyZone::create(storage, plan);
    CHECK(made.has_value()); // storage_for said how much it takes
    BuddyZone* const zone = made.value();
    sync::SpinLockGuard const guard(zone->lock(), sync::interrupts_stay_on);
    ZonePlans::for_each_piece(m_free.items(), plan, [&](FrameNumber begin, FrameNumber end) {
        zone->lock().assert_held();
        zone->adopt(begin, end);
        m_frames += end - begin;
    });
    Result<void> const added = frames.m_zones.push_back(zone);
    CHECK(added.has_value());
}

void BuddyFrames::Builder::set_up_magazines(BuddyFrames& frames) {
    // All magazines together hold one frame in 64 at most.
    u64 const share = m_frames / 64 / m_config.cpus;
    auto const capacity =
        static_cast<u32>(std::clamp<u64>(share, Magazine::capacity_least, Magazine::capacity_max));
    for (u32 cpu = 0; cpu < m_config.cpus; ++cpu) {
        u32 const node = cpu < m_config.node_of_cpu.size() ? m_config.node_of_cpu[cpu] : 0;
        frames.m_magazines.of({cpu}).set_up(capacity, node);
    }
}

} // namespace twofold::memory
