// Allocators of frames against the model, a hundred thousand random operations; and every
// allocation of an operation made to fail.
#include "tests/core/memory/frame_arena.hpp"
#include "tests/core/memory/frame_model.hpp"

namespace twofold::memory {
namespace {

template<class F>
void agree_with_the_model(u64 seed, u64 operations) {
    Arena const arena;
    F& frames =
        make_frames<F>({arena.range(0, 1500), arena.range(1501, 3000), arena.range(3072, 4000)});
    FrameStatistics const before = frames.statistics();
    ModelRun<F> run(frames, frame_of(arena.page(0)), 4000, seed);
    run.reserve(frame_of(arena.page(1500)), 1);
    run.reserve(frame_of(arena.page(3000)), 72);
    for (u64 i = 0; i < operations; ++i) {
        ASSERT_TRUE(run.step());
        if (i % 4096 == 0) {
            ASSERT_TRUE(run.is_sound());
        }
    }
    auto const& met = run.outcomes();
    EXPECT_GT(
        std::min(
            {met.allocated, met.out_of_memory, met.busy, met.out_of_range, met.freed, met.refused}),
        operations / 1000);
    run.free_all();
    EXPECT_TRUE(run.is_sound());
    EXPECT_TRUE(std::ranges::equal(frames.statistics().free_blocks, before.free_blocks));
}

TEST(BuddyFrames, RandomOperationsAgreeWithTheModel) {
    agree_with_the_model<BuddyFrames>(1, 100'000);
}
TEST(BitmapFrames, RandomOperationsAgreeWithTheModel) {
    agree_with_the_model<BitmapFrames>(2, 20'000);
}

/// A user of frames in several steps, each of which can fail; undoes what it did then.
template<class F>
Result<void> build_and_remove(F& frames) {
    struct Piece {
        PhysAddr address;
        u64 pages;
    };
    FixedVector<Piece, 32> pieces;
    Result<void> outcome;
    for (u64 i = 0; i < 24 && outcome; ++i) {
        u64 const pages = i % 3 == 0 ? 1 : i % 3 == 1 ? 1 + i : u64{1} << i / 6;
        Result<PhysAddr> const piece =
            i % 3 == 1 ? frames.allocate({.pages = pages})
                       : frames.allocate(static_cast<unsigned>(std::countr_zero(pages)));
        outcome = piece ? pieces.push_back({piece.value(), pages}) : Result<void>(piece.error());
    }
    for (Piece const& piece : pieces) {
        Result<void> const freed = frames.free_pages(piece.address, piece.pages);
        CHECK(freed.has_value());
    }
    return outcome;
}

TEST(FailingFrames, EveryAllocationFailsOnceAndFromThenOn) {
    Arena const arena;
    BuddyFrames& sound = make_frames<BuddyFrames>({arena.whole()});
    FrameStatistics const before = sound.statistics();
    FailingFrames frames(sound);
    static_assert(FrameAllocator<decltype(frames)>);
    ASSERT_TRUE(build_and_remove(frames).has_value());
    u64 const allocations = frames.asked();
    EXPECT_EQ(allocations, 24u);
    EXPECT_EQ(frames.failed(), 0u);
    for (u64 number = 1; number <= allocations; ++number) {
        for (bool const once : {true, false}) {
            once ? frames.fail_at(number) : frames.fail_from(number);
            ASSERT_EQ(build_and_remove(frames).error(), Error::out_of_memory);
            EXPECT_EQ(frames.asked(), number);
            EXPECT_EQ(frames.failed(), 1u);
            // The failure is over after one, and lasts after the other.
            ASSERT_EQ(build_and_remove(frames).has_value(), once);
            frames.never_fail();
            frames.drain();
            ASSERT_FALSE(sound.validate().found());
            ASSERT_TRUE(std::ranges::equal(sound.statistics().free_blocks, before.free_blocks));
        }
    }
    EXPECT_TRUE(build_and_remove(frames).has_value());
}

TEST(BitTree, AgreesWithABoolForEachNumber) {
    constexpr u64 bound = 5000; // three levels, the last word not full
    static bool members[bound];
    std::ranges::fill(members, false);
    std::byte bytes[(BitTree::words_for(bound) + 1) * sizeof(u64)];
    StorageCursor storage(bytes);
    BitTree tree = BitTree::create(storage, bound).value();
    Random random(3);
    u64 count = 0;
    for (int round = 0; round < 20000; ++round) {
        u64 const number = random.below(bound);
        members[number] ? tree.remove(number) : tree.add(number);
        members[number] = !members[number];
        count += members[number] ? 1 : u64{0} - 1;
        u64 const from = random.below(bound + 100);
        u64 next = from;
        while (next < bound && !members[next]) {
            ++next;
        }
        ASSERT_EQ(tree.next(from).value_or(bound), std::min(next, bound));
        ASSERT_EQ(tree.count(), count);
        ASSERT_EQ(tree.contains(number), members[number]);
        if (round % 5000 == 4999) { // and empty again, word by word
            for (u64 member = 0; member < bound; ++member) {
                if (members[member]) {
                    tree.remove(member);
                    members[member] = false;
                }
            }
            count = 0;
            ASSERT_FALSE(tree.next(0).has_value());
        }
    }
}

} // namespace
} // namespace twofold::memory
