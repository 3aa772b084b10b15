// See model_run.hpp.
#include "tests/core/memory/model_run.hpp"

#include "tests/core/memory/frame_model.hpp"

namespace twofold::memory {

u64 run_model(PhysAddr base, u64 seed, u64 operations) {
    constexpr u64 pages = 4096, hole_first = 2500, hole_pages = 3, walk_each = 1 << 16;
    hal::MemoryRange const free[] = {
        {base, page_size * hole_first, hal::MemoryKind::usable},
        {base + page_size * (hole_first + hole_pages),
         page_size * (pages - hole_first - hole_pages), hal::MemoryKind::usable}};
    BuddyFrames& frames = *BuddyFrames::create({.free = free}).value();
    FrameStatistics const before = frames.statistics();
    ModelRun<BuddyFrames> run(frames, frame_of(base), pages, seed);
    run.reserve(frame_of(base) + hole_first, hole_pages);
    for (u64 done = 0; done < operations; ++done) {
        if (!run.step() || (done % walk_each == 0 && !run.is_sound())) {
            return done;
        }
    }
    run.free_all();
    bool const whole =
        run.is_sound() && std::ranges::equal(frames.statistics().free_blocks, before.free_blocks);
    return whole ? operations : 0;
}

} // namespace twofold::memory
