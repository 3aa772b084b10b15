// Frames with several owners, and blocks that are divided before they are given back.
#include "core/memory/memory.hpp"
#include "tests/core/memory/frame_arena.hpp"
#include "tests/core/memory/space/frames.hpp"

using namespace twofold;
using namespace twofold::literals;
using test::TestFrames;

TEST(SharedFrames, AFrameGoesBackWithItsLastOwner) {
    TestFrames test;
    PhysAddr const frame = test.frames.allocate_zeroed(0).value();
    EXPECT_EQ(*memory::frame_object<u64>(frame), 0u);
    EXPECT_FALSE(test.frames.is_shared(frame, 0));
    test.frames.share(frame, 0);
    test.frames.share(frame, 0);
    EXPECT_TRUE(test.frames.is_shared(frame, 0));
    test.frames.release(frame, 0);
    EXPECT_TRUE(test.frames.is_shared(frame, 0));
    test.frames.release(frame, 0);
    EXPECT_FALSE(test.frames.is_shared(frame, 0));
    EXPECT_EQ(test.frames.in_use(), 1u);
    test.frames.release(frame, 0);
    EXPECT_EQ(test.frames.in_use(), 0u);
}

TEST(SharedFrames, OwnersOfABlockAreCountedFrameByFrame) {
    TestFrames test;
    PhysAddr const block = test.frames.allocate(3).value();
    test.frames.share(block + 8_KiB, 1); // two of the eight
    EXPECT_TRUE(test.frames.is_shared(block, 3));
    EXPECT_FALSE(test.frames.is_shared(block, 1));
    test.frames.release(block, 3);
    EXPECT_EQ(test.frames.in_use(), 2u);
    test.frames.release(block + 12_KiB, 0);
    test.frames.release(block + 8_KiB, 0);
    EXPECT_EQ(test.frames.in_use(), 0u);
}

TEST(SharedFrames, AnErrorOfTheSourceIsPassedOn) {
    TestFrames test;
    test.source.fail_from(0);
    EXPECT_EQ(test.frames.allocate(0).error(), Error::out_of_memory);
    EXPECT_EQ(test.frames.allocate_zeroed(2).error(), Error::out_of_memory);
    test.source.recover();
    EXPECT_EQ(test.frames.in_use(), 0u);
}

namespace {

/// A source that can only give single frames back.
struct SingleFrames {
    memory::FrameSupply inner = boot::current_kernel().shared_frames->source();
    Result<PhysAddr> allocate(unsigned order) { return inner.allocate(order); }
    Result<void> free(PhysAddr frame, unsigned) { return inner.free(frame); }
};

} // namespace

TEST(SharedFrames, ASourceThatCannotDivideGivesSingleFrames) {
    SingleFrames single;
    memory::SharedFrames frames(
        memory::FrameSupply(single), boot::current_kernel().shared_frames->counts());
    EXPECT_EQ(frames.allocate(9).error(), Error::not_supported);
    frames.release(frames.allocate(0).value(), 0);
    EXPECT_EQ(frames.in_use(), 0u);
}

TEST(BuddyFramesSplit, FramesOfADividedBlockGoBackOneByOneAndJoinAgain) {
    memory::Arena arena(11);
    auto& frames = memory::make_frames<memory::BuddyFrames>({arena.whole()});
    u64 const free = frames.statistics().free_frames;
    auto const largest = frames.statistics().largest_order();
    PhysAddr const block = frames.allocate(9).value();
    EXPECT_FALSE(frames.free(block, 0).has_value()); // the block is whole yet
    ASSERT_TRUE(frames.split(block, 9).has_value());
    EXPECT_FALSE(frames.free(block, 9).has_value());
    EXPECT_FALSE(frames.split(block, 9).has_value());
    EXPECT_FALSE(frames.split(block + 8_B, 0).has_value());
    EXPECT_FALSE(frames.split(block, 99).has_value());
    EXPECT_FALSE(frames.validate().found());
    for (u64 page = 0; page < 512; ++page) {
        ASSERT_TRUE(frames.free(block + page_size * (page * 37 % 512), 0).has_value());
    }
    EXPECT_FALSE(frames.free(block, 0).has_value());
    frames.drain();
    EXPECT_EQ(frames.statistics().free_frames, free);
    EXPECT_TRUE(frames.statistics().largest_order() == largest);
    EXPECT_FALSE(frames.validate().found());
}
