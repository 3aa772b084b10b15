// The state that making BuddyFrames needs and that is gone afterwards. Part of buddy_frames.
#pragma once

#include "core/memory/frames/buddy_frames.hpp"

namespace twofold::memory {

class BuddyFrames::Builder {
public:
    explicit Builder(FrameConfig const& config) : m_config(config) {}

    Result<BuddyFrames*> build();

private:
    /// Takes whole pages from the lowest piece of a zone that is large enough.
    /// Error::out_of_memory.
    Result<std::span<std::byte>> carve(Bytes size, ZonePlan const& within);
    Result<BuddyFrames*> place_object(ZonePlans const& plans);
    void add_zone(BuddyFrames& frames, ZonePlan const& plan);
    void set_up_magazines(BuddyFrames& frames);

    FrameConfig const& m_config;
    /// What is still free; carving may cut a range in two, once a zone at most.
    FixedVector<hal::MemoryRange, MemoryMap::ranges_max + ZonePlans::zones_max + 2> m_free;
    Bytes m_taken{};
    u64 m_frames = 0;
};

} // namespace twofold::memory
