// The tensor pool: blocks, pages of 2 MiB, classes, shares and handles, failures, and a model.
#include "tests/core/memory/allocator_suite.hpp"
#include "tests/core/memory/pools/tensors.hpp"

#include <array>

namespace twofold::memory::testing {
namespace {

using namespace twofold::literals;

TEST(TensorPool, TakesNothingBeforeItIsUsed) {
    u64 const before = frames_in_use();
    u64 const ranges = kernel_space().space().check().value().ranges;
    TensorsUnderTest test;
    EXPECT_EQ(frames_in_use(), before);
    EXPECT_EQ(kernel_space().space().check().value().ranges, ranges);
    EXPECT_EQ(test->statistics(TensorClass::weights).region, 0_B);
    EXPECT_EQ(test->records().live, 0u);
    EXPECT_TRUE(test->verify().has_value());
    EXPECT_EQ(test->trim(), 0_B);
    EXPECT_EQ(test->open({}).error(), Error::out_of_range);
}

TEST(TensorPool, BlocksAreAlignedAndTheirPagesAreThere) {
    TensorsUnderTest test;
    AddressSpace& space = kernel_space().space();
    for (u64 const size : {u64{1}, u64{63}, u64{64}, u64{4097}, u64{3} << 20}) {
        TensorBytes const block = allocate(test, TensorClass::weights, {size});
        EXPECT_EQ(block.size().value, size);
        VirtAddr const at = hal::kernel_address(block.bytes().data());
        EXPECT_TRUE(is_aligned(at, 64_B));
        for (u64 offset = 0; offset < size; offset += 4096) {
            auto const page = space.translate(at + Bytes{offset});
            ASSERT_TRUE(page.has_value());
            ASSERT_EQ(page->level, 1u); // 2 MiB, there before it is touched
        }
        block.bytes()[size - 1] = std::byte{1};
    }
    for (u64 alignment = 1; alignment <= (2_MiB).value; alignment *= 2) {
        TensorBytes const block =
            test->allocate({.kind = TensorClass::scratch, .size = 100_B, .alignment = {alignment}})
                .value();
        u64 const wanted = std::max<u64>(alignment, 64);
        EXPECT_TRUE(is_aligned(heap::address_of(block.bytes().data()), wanted));
    }
    EXPECT_EQ(test->statistics(TensorClass::scratch).blocks, 0u);
    EXPECT_EQ(test->statistics(TensorClass::scratch).allocations, 22u);
}

TEST(TensorPool, RefusesWhatMakesNoSense) {
    TensorsUnderTest test;
    auto const refused = [&](TensorRequest const& request) {
        return test->allocate(request).error();
    };
    constexpr auto kind = TensorClass::weights;
    EXPECT_EQ(refused({.kind = kind, .size = 0_B}), Error::invalid_argument);
    EXPECT_EQ(refused({.kind = kind, .size = 1_B, .alignment = 0_B}), Error::invalid_argument);
    EXPECT_EQ(refused({.kind = kind, .size = 1_B, .alignment = 96_B}), Error::invalid_argument);
    EXPECT_EQ(refused({.kind = kind, .size = 1_B, .alignment = 4_MiB}), Error::invalid_argument);
    EXPECT_EQ(refused({.kind = TensorClass{9}, .size = 1_B}), Error::invalid_argument);
    for (u64 const size : huge_sizes) {
        EXPECT_EQ(refused({.kind = kind, .size = {size}}), Error::out_of_memory);
        EXPECT_EQ(
            refused({.kind = kind, .size = {size}, .alignment = 2_MiB}), Error::out_of_memory);
    }
    EXPECT_EQ(refused({.kind = kind, .size = region + 1_B}), Error::out_of_memory);
    EXPECT_EQ(test->adopt({}).error(), Error::invalid_argument);
    EXPECT_EQ(TensorPool::create(kernel_space(), 0_B).error(), Error::invalid_argument);
    EXPECT_EQ(
        TensorPool::create(kernel_space(), TensorPool::region_max + 1_B).error(),
        Error::invalid_argument);
    EXPECT_GE(test->statistics(kind).failures, 13u);
    EXPECT_EQ(tensor_class_name(TensorClass{9}), "unknown");
}

TEST(TensorPool, ASharedBlockLivesUntilTheLastShareGoes) {
    TensorsUnderTest test;
    std::optional<TensorBytes> block(allocate(test, TensorClass::key_value, 1_MiB));
    TensorHandle const handle = block->handle();
    std::optional<TensorBytes> part(block->part(64_KiB, 100_B).value());
    EXPECT_EQ(part->bytes().data(), block->bytes().data() + 65536);
    EXPECT_EQ(block->shares(), 2u);
    EXPECT_EQ(block->part(1_MiB, 1_B).error(), Error::out_of_range);
    EXPECT_EQ(block->part(1_MiB - 1_B, 2_B).error(), Error::out_of_range);
    EXPECT_EQ(block->part({~u64{0}}, 2_B).error(), Error::out_of_range);
    EXPECT_EQ(block->part(0_B, {~u64{0}}).error(), Error::out_of_range);
    EXPECT_EQ(block->part(0_B, 0_B).error(), Error::invalid_argument);
    {
        TensorBytes const opened = test->open(handle).value();
        EXPECT_EQ(opened.size(), 1_MiB);
        EXPECT_EQ(opened.shares(), 3u);
        EXPECT_EQ(part->handle(), handle);
    }
    part->bytes()[0] = std::byte{42};
    block.reset();
    // The part holds the block: nothing else can have its place.
    EXPECT_EQ(test->statistics(TensorClass::key_value).blocks, 1u);
    TensorBytes const other = allocate(test, TensorClass::key_value, 1_MiB);
    EXPECT_FALSE(ranges_overlap(
        heap::address_of(part->bytes().data()), 100, heap::address_of(other.bytes().data()),
        (1_MiB).value));
    EXPECT_EQ(part->bytes()[0], std::byte{42});
    EXPECT_TRUE(test->open(handle).has_value());
    TensorBytes copy = part->share();
    part.reset();
    EXPECT_EQ(copy.bytes()[0], std::byte{42});
    copy = other.share();
    EXPECT_EQ(test->open(handle).error(), Error::invalid_state);
    // Its record and its place are used again; the handle stays dead.
    TensorBytes const third = allocate(test, TensorClass::key_value, 1_MiB);
    EXPECT_EQ(test->open(handle).error(), Error::invalid_state);
    EXPECT_TRUE(test->open(third.handle()).has_value());
    EXPECT_EQ(test->open({{12345, 1}, 1}).error(), Error::invalid_state);
}

TEST(TensorPool, CopiesAndFillsInBulk) {
    TensorsUnderTest test;
    constexpr u64 size = (3_MiB).value + 13;
    TensorBytes const a = allocate(test, TensorClass::activations, {size});
    TensorBytes const b =
        test->allocate({.kind = TensorClass::activations, .size = {size}, .zeroed = true}).value();
    for (u64 at = 0; at < size; at += 997) {
        ASSERT_EQ(b.bytes()[at], std::byte{0});
    }
    a.fill(0x0807'0605'0403'0201);
    for (u64 at = 0; at < size; at += 997) {
        ASSERT_EQ(a.bytes()[at], std::byte(at % 8 + 1));
    }
    EXPECT_EQ(a.bytes()[size - 1], std::byte{5});
    ASSERT_TRUE(b.write(0_B, a.bytes()).has_value());
    EXPECT_TRUE(std::ranges::equal(a.bytes(), b.bytes()));
    // At odd places, in sizes of every kind of loop; the neighbours stay.
    for (u64 const length : {u64{1}, u64{7}, u64{100}, u64{5000}, (1_MiB).value + 3}) {
        for (u64 const offset : {u64{0}, u64{1}, u64{63}, u64{64}, u64{1000}}) {
            b.fill(0);
            ASSERT_TRUE(b.write({offset}, a.bytes().subspan(3, length)).has_value());
            ASSERT_TRUE(std::ranges::equal(
                b.bytes().subspan(offset, length), a.bytes().subspan(3, length)));
            ASSERT_TRUE(offset == 0 || b.bytes()[offset - 1] == std::byte{0});
            ASSERT_EQ(b.bytes()[offset + length], std::byte{0});
        }
    }
    std::byte small[16] = {};
    EXPECT_TRUE(a.read(small, 8_B).has_value());
    EXPECT_EQ(small[15], std::byte{8});
    EXPECT_EQ(a.read(small, {size - 15}).error(), Error::out_of_range);
    EXPECT_EQ(a.write({size}, small).error(), Error::out_of_range);
    EXPECT_EQ(a.write({~u64{0}}, small).error(), Error::out_of_range);
    EXPECT_TRUE(a.write({size}, {}).has_value());
}

TEST(TensorPool, PagesStayForTheNextBlockUntilTheyAreTrimmed) {
    TensorsUnderTest test;
    u64 const before = frames_in_use();
    ASSERT_TRUE(test->prefault(TensorClass::activations, 6_MiB).has_value());
    EXPECT_EQ(test->statistics(TensorClass::activations).committed, 6_MiB);
    u64 const prefaulted = frames_in_use();
    EXPECT_GE(prefaulted - before, 3u * 512);
    {
        TensorBytes const a = allocate(test, TensorClass::activations, 3_MiB);
        TensorBytes const b = allocate(test, TensorClass::activations, 3_MiB);
        EXPECT_EQ(frames_in_use(), prefaulted); // all of it was there
        EXPECT_EQ(test->trim(), 0_B);           // and is in use
        EXPECT_EQ(test->statistics(TensorClass::activations).used, 6_MiB);
    }
    TensorBytes const c = allocate(test, TensorClass::activations, 1_MiB);
    c.bytes()[0] = std::byte{7};
    EXPECT_EQ(test->trim(TensorClass::weights), 0_B);
    EXPECT_EQ(test->trim(TensorClass::activations), 4_MiB); // the page of c stays
    EXPECT_EQ(c.bytes()[0], std::byte{7});
    EXPECT_EQ(test->statistics(TensorClass::activations).committed, 2_MiB);
    EXPECT_TRUE(is_absent(try_read(c.bytes().data() + (2_MiB).value)));
    EXPECT_TRUE(test->verify().has_value());
}

TEST(TensorPool, OneClassDoesNotDivideTheRoomOfAnother) {
    TensorsUnderTest test;
    std::array<std::optional<TensorBytes>, 64> blocks;
    for (auto& block : blocks) { // churn: every second one stays
        block.emplace(allocate(test, TensorClass::activations, 200_KiB));
    }
    for (usize i = 0; i < blocks.size(); i += 2) {
        blocks[i].reset();
    }
    TensorBytes const whole = allocate(test, TensorClass::key_value, region - 4_MiB);
    EXPECT_EQ(
        test->allocate({.kind = TensorClass::activations, .size = region - 4_MiB}).error(),
        Error::out_of_memory);
    EXPECT_LT(test->statistics(TensorClass::activations).largest_free, 4_MiB);
    EXPECT_EQ(test->statistics(TensorClass::key_value).largest_free, 4_MiB);
    EXPECT_TRUE(test->verify().has_value());
    for (auto& block : blocks) {
        block.reset();
    }
    EXPECT_EQ(test->statistics(TensorClass::activations).largest_free, region); // whole again
    EXPECT_EQ(test->statistics(TensorClass::activations).extents, 1u);
    EXPECT_TRUE(test->allocate({.kind = TensorClass::scratch, .size = region}).has_value());
}

TEST(TensorPool, RunningPastARegionFaults) {
    TensorsUnderTest test(4_MiB);
    TensorBytes const first = allocate(test, TensorClass::weights, 4_MiB);
    EXPECT_TRUE(is_absent(try_write(first.bytes().data() - 1)));
    EXPECT_TRUE(is_absent(try_write(first.bytes().data() + (4_MiB).value)));
    auto const guard =
        kernel_space().space().find(hal::kernel_address(first.bytes().data()) + 4_MiB);
    ASSERT_TRUE(guard.has_value());
    EXPECT_TRUE(guard->kind == RangeKind::guard);
}

TEST(TensorPool, AdoptsWhatLiesElsewhere) {
    TensorsUnderTest test;
    std::array<std::byte, 1000> file{};
    file[100] = std::byte{9};
    TensorHandle handle;
    {
        TensorBytes const whole = test->adopt(file).value();
        handle = whole.handle();
        TensorBytes const part = whole.part(100_B, 1_B).value();
        EXPECT_EQ(part.bytes()[0], std::byte{9});
        EXPECT_EQ(part.bytes().data(), &file[100]); // no copy
        EXPECT_TRUE(test->open(handle).has_value());
    }
    EXPECT_EQ(test->open(handle).error(), Error::invalid_state);
    EXPECT_EQ(test->records().live, 0u);
}

TEST(TensorPool, EveryFrameFailsOnceAndFromThenOn) {
    u64 const needed = fail_each_frame([]() -> Result<void> {
        TensorPool pool = TRY(TensorPool::create(kernel_space(), 8_MiB));
        auto const work = [&]() -> Result<void> {
            TensorBytes const a =
                TRY(pool.allocate({.kind = TensorClass::weights, .size = 3_MiB, .zeroed = true}));
            TensorBytes const b = TRY(
                pool.allocate({.kind = TensorClass::scratch, .size = 100_B, .alignment = 1_MiB}));
            TensorBytes const c = TRY(pool.allocate({.kind = TensorClass::weights, .size = 4_MiB}));
            a.fill(~u64{0});
            for (u64 at = 0; at < (4_MiB).value; at += 4096) {
                CHECK(c.bytes()[at] == std::byte{0});
            }
            return {};
        };
        Result<void> const outcome = work();
        EXPECT_TRUE(pool.verify().has_value());
        return outcome;
    });
    EXPECT_GE(needed, 10u);
}

TEST(TensorPool, PagesThatRestInOneClassServeAnother) {
    TensorsUnderTest test;
    FailingKernelFrames failing;
    ASSERT_TRUE(test->prefault(TensorClass::weights, 6_MiB).has_value());
    ASSERT_TRUE(test->prefault(TensorClass::scratch, 2_MiB).has_value());
    TensorStatistics const before = test->statistics(TensorClass::weights);
    EXPECT_EQ(before.committed, 6_MiB);
    // The next page is refused once: what rests is given back, and the next try succeeds.
    failing.source.fail_at(0);
    TensorBytes const block = allocate(test, TensorClass::scratch, 4_MiB);
    EXPECT_EQ(test->statistics(TensorClass::weights).committed, 0_B);
    EXPECT_EQ(test->statistics(TensorClass::scratch).committed, 4_MiB);
    EXPECT_EQ(test->statistics(TensorClass::scratch).failures, 0u);
}

/// Only frames of 4 KiB: what the space falls back to is not what the pool promises.
struct SmallFrames {
    FrameSupply inner;
    Result<PhysAddr> allocate(unsigned order) {
        return order == 0 ? inner.allocate(0) : Result<PhysAddr>(Error::out_of_memory);
    }
    Result<void> free(PhysAddr frame, unsigned) { return inner.free(frame); }
    Result<void> split(PhysAddr, unsigned) { return {}; }
};

TEST(TensorPool, WithoutLargePagesThereIsNoBlock) {
    TensorsUnderTest test;
    SharedFrames& frames = *boot::current_kernel().shared_frames;
    SmallFrames small{frames.source()};
    FrameSupply const before = frames.exchange_source(FrameSupply(small));
    EXPECT_EQ(
        test->allocate({.kind = TensorClass::weights, .size = 100_B}).error(),
        Error::out_of_memory);
    EXPECT_EQ(test->statistics(TensorClass::weights).committed, 0_B);
    EXPECT_TRUE(test->verify().has_value());
    frames.exchange_source(before);
    EXPECT_TRUE(test->allocate({.kind = TensorClass::weights, .size = 100_B}).has_value());
}

/// Random operations beside a model: the blocks as disjoint intervals, each with marks.
TEST(TensorPool, AgreesWithAModel) {
    struct Block {
        std::optional<TensorBytes> share;
        u64 key = 0;
    };
    TensorsUnderTest test;
    Random random(0x7e50);
    static constexpr usize blocks_max = 48;
    std::array<Block, blocks_max> blocks{};
    usize count = 0;
    u64 reused = 0;
    for (u64 step = 0; step < 4'000; ++step) {
        if (count < blocks_max && random.below(count > 30 ? 3 : 2) == 0) {
            auto const kind = static_cast<TensorClass>(random.below(tensor_class_count));
            u64 const size = 1 + random.below(random.below(8) == 0 ? (3_MiB).value : 50'000);
            u64 const alignment = u64{1} << random.below(random.below(4) == 0 ? 22 : 7);
            auto made = test->allocate({.kind = kind, .size = {size}, .alignment = {alignment}});
            if (!made) {
                ASSERT_EQ(made.error(), Error::out_of_memory);
                continue;
            }
            u64 const at = heap::address_of(made.value().bytes().data());
            ASSERT_TRUE(is_aligned(at, std::max<u64>(alignment, 64)));
            for (Block const& other : std::span(blocks).first(count)) {
                ASSERT_FALSE(ranges_overlap(
                    at, size, heap::address_of(other.share->bytes().data()),
                    other.share->size().value));
            }
            write_marks(made.value().bytes().data(), size, step);
            blocks[count].share.emplace(std::move(made).value());
            blocks[count++].key = step;
        } else if (count > 0) {
            usize const which = random.below(count);
            Block& block = blocks[which];
            TensorHandle const handle = block.share->handle();
            {
                TensorBytes const again = test->open(handle).value();
                ASSERT_TRUE(has_marks(again.bytes().data(), again.size().value, block.key));
            }
            block.share.reset();
            ASSERT_EQ(test->open(handle).error(), Error::invalid_state);
            ++reused;
            --count;
            if (which != count) {
                block.share.emplace(std::move(*blocks[count].share));
                block.key = blocks[count].key;
                blocks[count].share.reset();
            }
        }
        if (random.below(200) == 0) {
            test->trim(static_cast<TensorClass>(random.below(tensor_class_count)));
        }
        if (step % 128 == 0) {
            ASSERT_TRUE(test->verify().has_value());
            u64 live = 0;
            for (usize kind = 0; kind < tensor_class_count; ++kind) {
                live += test->statistics(static_cast<TensorClass>(kind)).blocks;
            }
            ASSERT_EQ(live, count);
        }
    }
    EXPECT_GT(reused, 500u);
    for (Block const& block : std::span(blocks).first(count)) {
        EXPECT_TRUE(has_marks(block.share->bytes().data(), block.share->size().value, block.key));
    }
}

} // namespace
} // namespace twofold::memory::testing
