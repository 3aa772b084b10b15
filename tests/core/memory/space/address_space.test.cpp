// Spaces beside the kernel's: what may lie where, what a clone shares, and that every frame comes
// back, whatever fails.
#include "core/memory/memory.hpp"
#include "tests/core/memory/space/frames.hpp"

using namespace twofold;
using namespace twofold::literals;
using memory::AddressSpace;
using memory::MemoryObject;
using memory::PageAccess;
using memory::RangeKind;
using memory::Sharing;
using test::get;
using test::put;
using test::TestFrames;

namespace {

constexpr VirtAddr base{0x4000'0000};

PhysAddr kernel_root() {
    return boot::current_kernel().space->space().root();
}

/// A space on frames that are counted.
struct Fixture : TestFrames {
    Result<AddressSpace> made = AddressSpace::create(frames, kernel_root());
    AddressSpace& space = made.value();
};

bool is_sound(AddressSpace& space) {
    return space.check().has_value();
}

} // namespace

TEST(AddressSpace, IsEmptyAtFirstAndKeepsOneFrame) {
    Fixture test;
    EXPECT_EQ(test.frames.in_use(), 1u);
    EXPECT_EQ(test.space.check().value().ranges, 0u);
    EXPECT_EQ(get(test.space, base).error(), Error::not_found);
    EXPECT_FALSE(test.space.is_active());
}

TEST(AddressSpace, RefusesWhatMakesNoSense) {
    Fixture test;
    AddressSpace& space = test.space;
    auto const zero = [&](VirtAddr where, Bytes size) {
        return space.map_zero(where, size, PageAccess::read).error();
    };
    EXPECT_EQ(zero(base, 0_B), Error::invalid_argument);
    EXPECT_EQ(zero(base, 100_B), Error::invalid_argument);
    EXPECT_EQ(zero(base + 8_B, 4_KiB), Error::invalid_argument);
    EXPECT_EQ(zero(base, Bytes{~u64{0} & ~u64{4095}}), Error::invalid_argument);
    EXPECT_EQ(zero(base, Bytes{u64{1} << 48}), Error::out_of_range);
    EXPECT_EQ(zero({~u64{0} & ~u64{4095}}, 8_KiB), Error::invalid_argument);
    EXPECT_EQ(zero({0x8000'0000'0000'0000}, 4_KiB), Error::out_of_range);
    EXPECT_EQ(zero({0x7fff'ffff'f000}, 8_KiB), Error::out_of_range);
    EXPECT_EQ(zero({0}, 4_KiB), Error::permission_denied);
    EXPECT_EQ(zero({0x1000}, 4_KiB), Error::permission_denied);
    EXPECT_EQ(zero({0xffff'ffff'ffff'f000}, 4_KiB), Error::permission_denied);
    hal::KernelLayout const layout = hal::Layout::current();
    EXPECT_EQ(zero(layout.heap.base, 4_KiB), Error::permission_denied);
    EXPECT_EQ(zero(align_down(layout.heap.base, 1_GiB), 4_KiB), Error::permission_denied);
    EXPECT_EQ(zero(layout.linear.base, 4_KiB), Error::permission_denied);
    EXPECT_EQ(zero(base, Bytes{0x7fff'8000'0000}), Error::permission_denied);
    EXPECT_EQ(space.unmap(base, 0_B).error(), Error::invalid_argument);
    EXPECT_EQ(space.unmap(base, 4_KiB).error(), Error::not_found);
    EXPECT_EQ(space.protect(base, 4_KiB, PageAccess::read).error(), Error::not_found);
    EXPECT_EQ(space.promote(base, 2_MiB).error(), Error::not_found);
    EXPECT_EQ(space.commit(base, 4_KiB).error(), Error::not_found);
    EXPECT_EQ(space.decommit(base, 4_KiB).error(), Error::not_found);
    EXPECT_EQ(
        memory::page_access(hal::Access::read | hal::Access::write | hal::Access::execute).error(),
        Error::invalid_argument);
    EXPECT_EQ(memory::page_access(hal::Access::write).error(), Error::invalid_argument);
    EXPECT_EQ(memory::page_access(hal::Access::none).error(), Error::invalid_argument);
    EXPECT_EQ(test.frames.in_use(), 1u);
}

TEST(AddressSpace, RangesDoNotOverlap) {
    Fixture test;
    AddressSpace& space = test.space;
    ASSERT_TRUE(space.map_zero(base + 16_KiB, 16_KiB, PageAccess::read).has_value());
    for (u64 first = 0; first < 12; ++first) {
        for (u64 pages = 1; pages < 10; ++pages) {
            bool const overlaps = first < 8 && first + pages > 4;
            VirtAddr const where = base + page_size * first;
            auto const mapped = space.map_guard(where, page_size * pages);
            ASSERT_EQ(mapped.has_value(), !overlaps);
            if (mapped) {
                ASSERT_TRUE(space.unmap(where, page_size * pages).has_value());
            } else {
                ASSERT_EQ(mapped.error(), Error::already_exists);
            }
        }
    }
    EXPECT_TRUE(is_sound(space));
}

TEST(AddressSpace, PagesComeOnDemandAndGoWithTheirRange) {
    Fixture test;
    AddressSpace& space = test.space;
    ASSERT_TRUE(space.map_zero(base, 1_GiB, PageAccess::read_write).has_value());
    u64 const empty = test.frames.in_use();
    EXPECT_EQ(get(space, base + 123_MiB).value(), 0u);
    ASSERT_TRUE(put(space, base + 123_MiB, 5).has_value());
    EXPECT_EQ(get(space, base + 123_MiB).value(), 5u);
    EXPECT_EQ(test.frames.in_use(), empty + 4); // three tables, one page
    // Across pages, in pieces.
    std::byte text[6000];
    for (usize i = 0; i < sizeof(text); ++i) {
        text[i] = static_cast<std::byte>(i * 7);
    }
    VirtAddr const where = base + 500_MiB - 1000_B;
    ASSERT_TRUE(space.copy_to(where, text).has_value());
    std::byte back[6000]{};
    ASSERT_TRUE(space.copy_from(back, where).has_value());
    EXPECT_EQ(__builtin_memcmp(text, back, sizeof(text)), 0);
    EXPECT_TRUE(is_sound(space));
    ASSERT_TRUE(space.unmap(base + 4_KiB, 1_GiB - 4_KiB).has_value());
    EXPECT_EQ(test.frames.in_use(), empty);
    EXPECT_EQ(get(space, base + 123_MiB).error(), Error::not_found);
    EXPECT_EQ(get(space, base).value(), 0u);
}

TEST(AddressSpace, RightsHoldForCopiesToo) {
    Fixture test;
    AddressSpace& space = test.space;
    ASSERT_TRUE(space.map_guard(base, 4_KiB).has_value());
    ASSERT_TRUE(space.map_zero(base + 4_KiB, 4_KiB, PageAccess::read).has_value());
    ASSERT_TRUE(space.map_zero(base + 8_KiB, 4_KiB, PageAccess::read_execute).has_value());
    EXPECT_EQ(get(space, base).error(), Error::permission_denied);
    EXPECT_EQ(put(space, base, 1).error(), Error::permission_denied);
    EXPECT_EQ(get(space, base + 4_KiB).value(), 0u);
    EXPECT_EQ(put(space, base + 4_KiB, 1).error(), Error::permission_denied);
    EXPECT_EQ(put(space, base + 8_KiB, 1).error(), Error::permission_denied);
    EXPECT_EQ(space.resolve(base + 4_KiB, {.execute = true}).error(), Error::permission_denied);
    EXPECT_TRUE(space.resolve(base + 8_KiB, {.execute = true}).has_value());
    // Pages of the kernel, and none at all.
    EXPECT_EQ(get(space, hal::Layout::current().linear.base).error(), Error::permission_denied);
    EXPECT_EQ(get(space, hal::kernel_address(&test)).error(), Error::permission_denied);
    EXPECT_EQ(get(space, {0x8000'0000'0000'0000}).error(), Error::out_of_range);
    EXPECT_EQ(get(space, {8}).error(), Error::permission_denied);
    // A copy stops where the rights end, and what lies before is done.
    ASSERT_TRUE(space.protect(base + 4_KiB, 4_KiB, PageAccess::read_write).has_value());
    std::byte const text[16]{std::byte{1}};
    EXPECT_EQ(space.copy_to(base + 8_KiB - 8_B, text).error(), Error::permission_denied);
    EXPECT_EQ(get(space, base + 8_KiB - 8_B).value(), 1u);
    ASSERT_TRUE(space.protect(base + 4_KiB, 4_KiB, PageAccess::read).has_value());
    EXPECT_EQ(put(space, base + 4_KiB, 1).error(), Error::permission_denied);
    EXPECT_EQ(space.protect(base, 8_KiB, PageAccess::read).error(), Error::permission_denied);
    EXPECT_EQ(space.protect(base + 4_KiB, 1_MiB, PageAccess::read).error(), Error::not_found);
    EXPECT_TRUE(is_sound(space));
}

TEST(AddressSpace, ProtectingCutsAndJoinsRanges) {
    Fixture test;
    AddressSpace& space = test.space;
    ASSERT_TRUE(space.map_zero(base, 64_KiB, PageAccess::read_write).has_value());
    ASSERT_TRUE(space.protect(base + 16_KiB, 8_KiB, PageAccess::read).has_value());
    EXPECT_EQ(space.check().value().ranges, 3u);
    EXPECT_TRUE(put(space, base + 12_KiB, 1).has_value());
    EXPECT_EQ(put(space, base + 16_KiB, 1).error(), Error::permission_denied);
    ASSERT_TRUE(space.protect(base + 16_KiB, 8_KiB, PageAccess::read_write).has_value());
    EXPECT_EQ(space.check().value().ranges, 1u);
    EXPECT_TRUE(put(space, base + 16_KiB, 1).has_value());
}

TEST(AddressSpace, ACloneSharesUntilOneOfTheTwoWrites) {
    Fixture test;
    AddressSpace& parent = test.space;
    ASSERT_TRUE(parent.map_zero(base, 64_KiB, PageAccess::read_write).has_value());
    ASSERT_TRUE(parent.map_guard(base + 64_KiB, 4_KiB).has_value());
    for (u64 page = 0; page < 4; ++page) {
        ASSERT_TRUE(put(parent, base + page_size * page, 100 + page).has_value());
    }
    u64 const alone = test.frames.in_use();
    {
        auto cloned = parent.clone();
        ASSERT_TRUE(cloned.has_value());
        AddressSpace& child = cloned.value();
        u64 const both = test.frames.in_use();
        EXPECT_EQ(both, alone + 5); // root, three tables, one frame of ranges: no page
        EXPECT_EQ(get(child, base).value(), 100u);
        EXPECT_EQ(test.frames.in_use(), both);
        ASSERT_TRUE(put(child, base, 7).has_value());
        EXPECT_EQ(test.frames.in_use(), both + 1);
        EXPECT_EQ(get(parent, base).value(), 100u);
        EXPECT_EQ(get(child, base).value(), 7u);
        ASSERT_TRUE(put(parent, base, 8).has_value()); // nobody else has it any more
        EXPECT_EQ(test.frames.in_use(), both + 1);
        EXPECT_EQ(parent.statistics().reused, 1u);
        ASSERT_TRUE(put(parent, base + 4_KiB, 9).has_value());
        EXPECT_EQ(get(child, base + 4_KiB).value(), 101u);
        EXPECT_EQ(parent.statistics().copied, 1u);
        EXPECT_EQ(child.statistics().copied, 1u);
        // A page that came after the clone is one's own.
        ASSERT_TRUE(put(child, base + 32_KiB, 1).has_value());
        EXPECT_EQ(get(parent, base + 32_KiB).value(), 0u);
        EXPECT_EQ(put(child, base + 64_KiB, 1).error(), Error::permission_denied);
        EXPECT_TRUE(is_sound(parent) && is_sound(child));
        // A clone of the clone, and the middle one's end.
        auto grandchild = child.clone();
        ASSERT_TRUE(grandchild.has_value());
        ASSERT_TRUE(child.unmap(base, 64_KiB).has_value());
        EXPECT_EQ(get(grandchild.value(), base).value(), 7u);
        EXPECT_EQ(get(grandchild.value(), base + 8_KiB).value(), 102u);
        ASSERT_TRUE(put(grandchild.value(), base + 8_KiB, 3).has_value());
        EXPECT_EQ(get(parent, base + 8_KiB).value(), 102u);
        EXPECT_TRUE(is_sound(parent) && is_sound(child) && is_sound(grandchild.value()));
    }
    ASSERT_TRUE(put(parent, base + 8_KiB, 5).has_value());
    EXPECT_TRUE(is_sound(parent));
}

TEST(AddressSpace, ACloneOfLargePagesCopiesSmallOnes) {
    Fixture test;
    AddressSpace& parent = test.space;
    if (hal::Mmu::highest_leaf_level() < 1) {
        return;
    }
    ASSERT_TRUE(parent.map_zero(base, 2_MiB, PageAccess::read_write, 1).has_value());
    ASSERT_TRUE(put(parent, base + 1_MiB, 1).has_value());
    EXPECT_EQ(parent.check().value().large_pages, 1u);
    auto cloned = parent.clone();
    ASSERT_TRUE(cloned.has_value());
    AddressSpace& child = cloned.value();
    EXPECT_EQ(child.check().value().large_pages, 1u);
    u64 const before = test.frames.in_use();
    ASSERT_TRUE(put(child, base + 1_MiB, 2).has_value());
    EXPECT_EQ(test.frames.in_use(), before + 2); // a table and a page
    EXPECT_EQ(child.check().value().large_pages, 0u);
    EXPECT_EQ(get(parent, base + 1_MiB).value(), 1u);
    EXPECT_EQ(get(child, base + 1_MiB).value(), 2u);
    EXPECT_EQ(get(child, base + 1_MiB + 4_KiB).value(), 0u);
    EXPECT_TRUE(is_sound(parent) && is_sound(child));
}

TEST(AddressSpace, ObjectsAreSharedBetweenSpaces) {
    Fixture test;
    AddressSpace& first = test.space;
    auto made = AddressSpace::create(test.frames, kernel_root());
    ASSERT_TRUE(made.has_value());
    AddressSpace& second = made.value();
    {
        auto object = MemoryObject::create(test.frames, 3_MiB);
        ASSERT_TRUE(object.has_value());
        MemoryObject& shared = *object.value();
        auto const rw = PageAccess::read_write;
        EXPECT_EQ(
            first.map_object(base, 4_MiB, shared, 0, rw, Sharing::shared).error(),
            Error::out_of_range);
        EXPECT_EQ(
            first.map_object(base, 4_KiB, shared, 768, rw, Sharing::shared).error(),
            Error::out_of_range);
        EXPECT_EQ(
            first.map_object(base, 8_KiB, shared, ~u64{0}, rw, Sharing::shared).error(),
            Error::out_of_range);
        ASSERT_TRUE(first.map_object(base, 3_MiB, shared, 0, rw, Sharing::shared).has_value());
        ASSERT_TRUE(
            second.map_object(base + 8_MiB, 1_MiB, shared, 512, rw, Sharing::shared).has_value());
        EXPECT_EQ(shared.references(), 3u);
    }
    ASSERT_TRUE(put(first, base + 2_MiB + 8_B, 11).has_value());
    EXPECT_EQ(get(second, base + 8_MiB + 8_B).value(), 11u);
    auto clone = first.clone();
    ASSERT_TRUE(clone.has_value());
    ASSERT_TRUE(put(clone.value(), base + 2_MiB + 8_B, 12).has_value());
    EXPECT_EQ(get(first, base + 2_MiB + 8_B).value(), 12u); // a clone shares what was shared
    // Cutting a range keeps both halves on the object.
    ASSERT_TRUE(first.unmap(base + 1_MiB, 4_KiB).has_value());
    EXPECT_EQ(get(first, base + 2_MiB + 8_B).value(), 12u);
    ASSERT_TRUE(first.protect(base, 4_KiB, PageAccess::read).has_value());
    ASSERT_TRUE(first.protect(base, 4_KiB, PageAccess::read_write).has_value());
    EXPECT_TRUE(is_sound(first) && is_sound(second) && is_sound(clone.value()));
    EXPECT_EQ(MemoryObject::create(test.frames, 0_B).error(), Error::invalid_argument);
    EXPECT_EQ(MemoryObject::create(test.frames, 5_B).error(), Error::invalid_argument);
    EXPECT_EQ(
        MemoryObject::create(test.frames, Bytes{u64{1} << 60}).error(), Error::invalid_argument);
}

TEST(AddressSpace, IsReachedTheSameWayWhileItIsActive) {
    Fixture test;
    AddressSpace& space = test.space;
    ASSERT_TRUE(space.map_zero(base, 64_KiB, PageAccess::read_write).has_value());
    ASSERT_TRUE(put(space, base, 21).has_value());
    space.activate();
    bool const active = space.is_active();
    auto const first = get(space, base);
    auto const second = put(space, base + 8_KiB, 22);
    auto const narrowed = space.protect(base, 4_KiB, PageAccess::read);
    auto const refused = put(space, base, 23);
    auto const dropped = space.unmap(base + 32_KiB, 32_KiB);
    u64 const stale = hal::Mmu::count_stale();
    boot::current_kernel().space->space().activate();
    EXPECT_TRUE(active);
    EXPECT_EQ(first.value(), 21u);
    EXPECT_TRUE(second.has_value() && narrowed.has_value() && dropped.has_value());
    EXPECT_EQ(refused.error(), Error::permission_denied);
    EXPECT_EQ(stale, 0u);
    EXPECT_EQ(get(space, base + 8_KiB).value(), 22u);
    EXPECT_TRUE(is_sound(space));
}

TEST(AddressSpace, AMovedSpaceIsTheSame) {
    Fixture test;
    ASSERT_TRUE(test.space.map_zero(base, 4_KiB, PageAccess::read_write).has_value());
    ASSERT_TRUE(put(test.space, base, 3).has_value());
    AddressSpace moved(std::move(test.space));
    EXPECT_EQ(get(moved, base).value(), 3u);
    EXPECT_TRUE(is_sound(moved));
}

namespace {

/// Everything that allocates, in one go; stops at the first error.
Result<void> use_everything(TestFrames& test) {
    AddressSpace space = TRY(AddressSpace::create(test.frames, kernel_root()));
    auto const object = TRY(MemoryObject::create(test.frames, 4_MiB));
    auto const rw = PageAccess::read_write;
    TRY(space.map_zero(base, 4_MiB, rw, 1));
    TRY(space.map_guard(base + 8_MiB, 4_KiB));
    TRY(space.map_object(base + 1_GiB, 4_MiB, *object, 0, rw, Sharing::shared));
    TRY(space.map_object(base + 2_GiB, 4_MiB, *object, 0, rw, Sharing::own));
    TRY(space.map_pinned(base + 3_GiB, 4_MiB, rw, 1));
    TRY(space.map_device(base + 4_GiB, 4_MiB, {u64{1} << 40}, rw, hal::CacheMode::write_combining));
    TRY(put(space, base + 5_B, 1));
    TRY(put(space, base + 1_GiB + 3_MiB, 2));
    TRY(get(space, base + 2_GiB + 3_MiB));
    TRY(put(space, base + 2_GiB + 3_MiB, 3));
    TRY(space.commit(base + 3_GiB, 2_MiB + 8_KiB));
    TRY(space.decommit(base + 3_GiB + 4_KiB, 4_KiB));
    TRY(space.unmap(base + 4_GiB + 4_KiB, 4_KiB));
    AddressSpace copy = TRY(space.clone());
    TRY(put(copy, base + 5_B, 4));
    TRY(put(space, base + 3_GiB, 4));
    TRY(space.protect(base + 12_KiB, 4_KiB, PageAccess::read));
    TRY(space.unmap(base + 20_KiB, 8_KiB));
    TRY(copy.clone());
    TRY(space.check());
    TRY(copy.check());
    return {};
}

} // namespace

TEST(AddressSpace, EveryAllocationMayFailOnceOrForGood) {
    u64 needed = 0;
    {
        TestFrames test;
        ASSERT_TRUE(use_everything(test).has_value());
        needed = test.source.calls();
    }
    EXPECT_GE(needed, 30u);
    for (u64 call = 0; call < needed; ++call) {
        for (bool const for_good : {false, true}) {
            TestFrames test; // counts at its end that nothing is lost
            for_good ? test.source.fail_from(call) : test.source.fail_at(call);
            auto const outcome = use_everything(test);
            if (!outcome) {
                ASSERT_EQ(outcome.error(), Error::out_of_memory);
            }
            // Without a large block there are small ones; without any there is an error.
            ASSERT_TRUE(!for_good || !outcome.has_value());
        }
    }
}

TEST(AddressSpace, DecommittingNeverNeedsMemory) {
    Fixture test;
    AddressSpace& space = test.space;
    constexpr VirtAddr large = base;
    // Part of one large page, the ends of two, one whole and its neighbours' ends.
    struct Part {
        Bytes offset, size;
    } const parts[] = {
        {64_KiB, 8_KiB}, {2_MiB - 4_KiB, 8_KiB}, {1_MiB, 4_MiB}, {0_B, 4_KiB}, {0_B, 6_MiB}};
    ASSERT_TRUE(space.map_pinned(large, 6_MiB, PageAccess::read_write, 1).has_value());
    for (Part const& part : parts) {
        ASSERT_TRUE(space.commit(large, 6_MiB).has_value());
        ASSERT_TRUE(put(space, large, 1).has_value());
        ASSERT_TRUE(put(space, large + 6_MiB - 8_B, 2).has_value());
        test.source.fail_from(0);
        ASSERT_TRUE(space.decommit(large + part.offset, part.size).has_value());
        test.source.recover();
        VirtAddr const end = large + part.offset + part.size;
        EXPECT_FALSE(space.translate(large + part.offset).has_value());
        EXPECT_FALSE(space.translate(end - 1_B).has_value());
        EXPECT_EQ(get(space, large).has_value(), part.offset.value != 0);
        EXPECT_EQ(get(space, large + 6_MiB - 8_B).has_value(), end != large + 6_MiB);
        EXPECT_TRUE(is_sound(space));
        ASSERT_TRUE(space.decommit(large, 6_MiB).has_value());
        EXPECT_EQ(test.frames.in_use(), 2u); // the root and the frame of the ranges
    }
}

TEST(AddressSpace, NoTableIsMadeOfAPageThatACloneShares) {
    Fixture test;
    AddressSpace& space = test.space;
    if (hal::Mmu::highest_leaf_level() < 1) {
        return;
    }
    ASSERT_TRUE(space.map_pinned(base, 2_MiB, PageAccess::read_write, 1).has_value());
    ASSERT_TRUE(space.commit(base, 2_MiB).has_value());
    ASSERT_TRUE(put(space, base + 64_KiB, 5).has_value());
    {
        auto cloned = space.clone();
        ASSERT_TRUE(cloned.has_value());
        test.source.fail_from(0);
        EXPECT_EQ(space.decommit(base + 64_KiB, 8_KiB).error(), Error::out_of_memory);
        test.source.recover();
        EXPECT_EQ(get(cloned.value(), base + 64_KiB).value(), 5u);
        EXPECT_EQ(get(space, base + 64_KiB).value(), 5u);
        EXPECT_TRUE(is_sound(space) && is_sound(cloned.value()));
    }
    test.source.fail_from(0);
    EXPECT_TRUE(space.decommit(base + 64_KiB, 8_KiB).has_value()); // nobody else has it now
    test.source.recover();
    EXPECT_TRUE(is_sound(space));
}

TEST(AddressSpace, AFailedOperationChangesNothing) {
    Fixture test;
    AddressSpace& space = test.space;
    ASSERT_TRUE(space.map_zero(base, 2_MiB, PageAccess::read_write).has_value());
    ASSERT_TRUE(put(space, base, 77).has_value());
    ASSERT_TRUE(put(space, base + 1_MiB, 78).has_value());
    test.source.fail_from(0);
    EXPECT_EQ(space.clone().error(), Error::out_of_memory);
    EXPECT_EQ(put(space, base + 64_KiB, 1).error(), Error::out_of_memory);
    test.source.recover();
    for (u64 call = 0; call < 6; ++call) {
        test.source.fail_from(call);
        auto const cloned = space.clone();
        test.source.recover();
        EXPECT_TRUE(is_sound(space));
        EXPECT_EQ(get(space, base).value(), 77u);
    }
    ASSERT_TRUE(put(space, base, 79).has_value());
    EXPECT_EQ(get(space, base + 1_MiB).value(), 78u);
    EXPECT_EQ(get(space, base + 64_KiB).value(), 0u);
}
