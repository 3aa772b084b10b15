// What real programs leave of the memory: their recorded traces on the kernel's heap, whose pages
// are frames of the kernel's allocator.
//
// Utilisation: of the frames that are taken, tables and caches included, the share that the program
// has asked for, at the operation after which it asks for most. Fragmentation: of the frames that
// are free after the last operation, the share that a request of 2 MiB cannot use although it could
// before.
#pragma once

#include "apps/allocation/replay.hpp"
#include "apps/allocation/schedule.hpp"
#include "tests/support/frame_machine.hpp"
#include "tests/support/host_heap.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace twofold::bench {

using namespace twofold::literals;
using namespace twofold::memory;

inline constexpr unsigned large_order = 9;
inline constexpr u64 large_pages = u64{1} << large_order;

/// Pages of a host's range, each of them behind a frame: 2 MiB in one piece where a commit covers
/// them, as the kernel's own space takes them.
class FrameBacking {
public:
    explicit FrameBacking(BuddyFrames& frames)
        : m_frames(frames), m_of_page(m_host.range().size / page_size) {}

    HeapRange range() const { return m_host.range(); }
    Result<void> commit(Bytes offset, Bytes size) {
        u64 const first = offset / page_size;
        u64 const end = first + size / page_size;
        u64 page = first;
        while (page < end) {
            bool const large = page % large_pages == 0 && end - page >= large_pages;
            auto const taken = take(page, large ? large_order : 0);
            if (!taken) {
                give(first, page);
                return taken;
            }
            page += large ? large_pages : 1;
        }
        return m_host.commit(offset, size);
    }
    void decommit(Bytes offset, Bytes size) {
        u64 const first = offset / page_size;
        give(first, first + size / page_size);
        m_host.decommit(offset, size);
    }

private:
    Result<void> take(u64 page, unsigned order) {
        PhysAddr const block = TRY(m_frames.allocate(order));
        m_frames.split(block, order).value(); // it may go back in parts
        for (u64 i = 0; i < u64{1} << order; ++i) {
            m_of_page[page + i] = block + page_size * i;
        }
        return {};
    }
    void give(u64 first, u64 end) {
        for (u64 page = first; page < end; ++page) {
            m_frames.free(m_of_page[page], 0).value();
        }
    }

    memory::testing::HostBacking m_host;
    BuddyFrames& m_frames;
    std::vector<PhysAddr> m_of_page;
};

using TraceHeap = Heap<FrameBacking, memory::testing::HostEnvironment>;

/// The heap as the replayer calls it.
struct Replayed {
    TraceHeap& heap;

    static Bytes size_of(usize size) { return {size == 0 ? 1 : size}; }
    static void* pointer(Result<std::byte*> const& block) {
        return block ? block.value() : nullptr;
    }
    void* allocate(usize size) const { return pointer(heap.allocate(size_of(size))); }
    void* allocate_zeroed(usize size) const {
        void* const block = allocate(size);
        return block == nullptr ? nullptr : std::memset(block, 0, size);
    }
    void* allocate_aligned(usize size, usize alignment) const {
        return pointer(heap.allocate(size_of(size), {alignment}));
    }
    void* resize(void* block, usize, usize size) const {
        return pointer(
            heap.resize(static_cast<std::byte*>(block), size_of(size), default_alignment));
    }
    void release(void* block, usize) const { heap.free(static_cast<std::byte*>(block)).value(); }
};

/// A trace of bench/memory/traces.
inline std::string read_trace(std::string const& name) {
    std::ostringstream content;
    content << std::ifstream(TWOFOLD_TRACES "/" + name + ".trace", std::ios::binary).rdbuf();
    return std::move(content).str();
}

struct TraceFigures {
    double utilisation = 0;   ///< in per cent
    double fragmentation = 0; ///< in per cent
    bool sound = false;       ///< no block and no frame was anything but what it must be
};

/// Replays a trace, every block written and verified.
inline TraceFigures replay_trace(allocation::Schedule const& schedule) {
    FrameMachine<BuddyFrames> machine(257_MiB);
    BuddyFrames& frames = machine.frames();
    FrameStatistics const before = frames.statistics();
    memory::testing::HostEnvironment::reset();
    FrameBacking backing(frames);
    memory::testing::HostEnvironment environment;
    TraceHeap& heap = *TraceHeap::create(backing, environment).value();
    Replayed replayed{heap};
    std::vector<allocation::Block> blocks(schedule.places);
    TraceFigures found;
    auto const run = allocation::replay<allocation::Touch::all>(
        schedule.operations, blocks, replayed, [&](u64 number) {
            if (number == schedule.live_bytes_peak_operation) {
                frames.drain();
                u64 const taken = before.free_frames - frames.statistics().free_frames;
                found.utilisation = 100.0 * static_cast<double>(schedule.counts.live_bytes_max) /
                                    static_cast<double>(taken * page_size.value);
            }
        });
    frames.drain();
    FrameStatistics const after = frames.statistics();
    found.fragmentation = (static_cast<double>(after.fragmentation_ppm(large_order)) -
                           static_cast<double>(before.fragmentation_ppm(large_order))) /
                          10000.0;
    found.sound = run.outcome().clean() && heap.verify() && !frames.validate().found();
    memory::testing::HostEnvironment::reset();
    return found;
}

} // namespace twofold::bench
