// The kernel's allocator of physical frames: buddy zones over the real memory map, and a magazine
// of single frames for each processor before them.
//
// A single frame is taken from and given to the running processor's magazine without preemption
// and without a lock; interrupts come, and their handlers take no frames. Everything else takes the
// lock of one zone at a time. Memory of the processor's own node comes first, the highest zone
// first; the first mebibyte last. Tables lie at the start of the zone that they describe.
//
// What is given back wrongly is refused with an error, counted by name and changes nothing: the
// allocator cannot know which owner is wrong. What breaks an invariant of its own is a panic.
// One case is found late: two processors that give back the same single frame in the same few
// instructions; then the second drain of that frame panics.
#pragma once

#include "core/memory/frames/buddy_zone.hpp"
#include "core/memory/frames/magazine.hpp"

namespace twofold::memory {

class BuddyFrames {
public:
    /// Makes the allocator, in memory that it takes from `config.free` first. It lives as long as
    /// the machine. Errors: invalid_argument, see ZonePlans; out_of_memory. O(frames).
    static Result<BuddyFrames*> create(FrameConfig const& config);

    // The concept FrameAllocator; see there. Without contention O(orders) at worst, except requests
    // of a place, of more than 1 GiB, or for which no single block is left.
    Result<PhysAddr> allocate(unsigned order);
    Result<PhysAddr> allocate(FrameRequest const& request);
    Result<void> free(PhysAddr address, unsigned order);
    Result<void> free_pages(PhysAddr address, u64 pages);
    void drain();
    /// The frames of an allocated block count as allocated one by one from now on, and are given
    /// back one by one. Errors: see misuse_error. O(frames).
    Result<void> split(PhysAddr address, unsigned order);
    FrameStatistics statistics() const;
    FrameDefect validate() const;

    /// Asks every processor to empty its magazine when it next frees a frame. O(processors).
    void ask_all_to_drain();
    /// What giving back would be answered with; none where it is right. O(orders).
    FrameMisuse examine(PhysAddr address, u64 pages) const;
    /// The zones, ascending.
    std::span<BuddyZone* const> zones() const { return m_zones.items(); }
    /// How many frames each processor has set aside.
    u32 cached_on(CpuId cpu) const { return m_magazines.of(cpu).count(); }
    /// The node that a processor takes its frames from first.
    u32 node_of(CpuId cpu) const { return m_magazines.of(cpu).node(); }
    u32 cpus() const { return m_magazines.count(); }
    /// Frames of the map that no zone could take up.
    u64 frames_left_out() const { return m_left_out; }

private:
    class Builder;
    using MagazineOf = sync::PerCpu<Magazine>;

    BuddyFrames() = default;

    BuddyZone* zone_of(FrameNumber frame) const {
        for (BuddyZone* const zone : m_zones) {
            if (frame < zone->end()) {
                return frame >= zone->first() ? zone : nullptr;
            }
        }
        return nullptr;
    }

    template<class Attempt>
    Result<FrameNumber> from_zones(std::optional<u32> only, Attempt&& attempt);
    enum class RunSearch : u8 { lowest, any };

    Result<FrameNumber> take_block(FrameRequest const& request);
    Result<FrameNumber> take_run(FrameRequest const& request, RunSearch search);
    static Result<FrameNumber>
    find_run(BuddyZone& zone, BuddyZone::RunShape const& run, RunSearch search);
    Result<FrameNumber> take_there(FrameRequest const& request);
    Result<FrameNumber> take(FrameRequest const& request);
    // Out of line, so that what runs for every frame stays short.
    [[gnu::noinline]] Result<PhysAddr> allocate_order(unsigned order);
    [[gnu::noinline]] Result<void> free_order(PhysAddr address, unsigned order);
    [[gnu::noinline]] bool refill(Magazine& magazine);
    [[gnu::noinline]] bool make_room(Magazine& magazine);
    void drain_oldest(Magazine& magazine, u32 number);
    Result<PhysAddr> allocate_slowly(FrameRequest const& request);
    Result<void> free_slowly(FrameNumber frame, u64 pages);
    Result<void> refuse(FrameMisuse misuse);

    FixedVector<BuddyZone*, ZonePlans::zones_max> m_zones;
    MagazineOf m_magazines;
    u64 m_left_out = 0;
    Bytes m_metadata;
    Atomic<u64> m_misuses[frame_misuse_count]{};
};
static_assert(FrameAllocator<BuddyFrames>);

} // namespace twofold::memory
