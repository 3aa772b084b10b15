// Address spaces on every processor at once: pages of one's own, pages that all share, pages whose
// frames change under the eyes of the others.
#include "core/memory/memory.hpp"
#include "tests/core/memory/many.hpp"
#include "tests/core/memory/space/frames.hpp"

using namespace twofold;
using namespace twofold::literals;
using memory::AddressSpace;
using memory::PageAccess;
using test::get;
using test::put;
using test::TestFrames;

namespace {

AddressSpace& kernels() {
    return boot::current_kernel().space->space();
}

Atomic<u64>& word_at(VirtAddr address) {
    return *room_for<Atomic<u64>>(hal::kernel_pointer(address));
}

/// A place of the views window with nothing in it, unmapped at its end.
class SharedPlace {
public:
    explicit SharedPlace(Bytes size)
        : m_frames(boot::current_kernel().shared_frames->in_use()),
          m_size(size),
          m_base(boot::current_kernel().space->find_view(size, 2_MiB).value()) {}
    ~SharedPlace() {
        static_cast<void>(kernels().unmap(m_base, m_size));
        EXPECT_EQ(boot::current_kernel().shared_frames->in_use(), m_frames);
        EXPECT_TRUE(kernels().check().has_value());
        EXPECT_EQ(hal::Mmu::count_stale(), 0u);
    }
    VirtAddr base() const { return m_base; }

private:
    u64 m_frames;
    Bytes m_size;
    VirtAddr m_base;
};

} // namespace

TEST(SpacesMany, EachMapsTouchesAndUnmapsItsOwn) {
    constexpr Bytes each = 128_KiB; // sixteen of them share the tables of a large page
    SharedPlace const place(each * 256);
    Atomic<u64> wrong{0};
    test::on_every_cpu([&](u32 index) {
        VirtAddr const base = place.base() + each * index;
        u64 bad = 0;
        for (u64 round = 1; round <= 3; ++round) {
            bad += kernels().map_zero(base, each, PageAccess::read_write) ? 0 : 1;
            for (u64 page = 0; page < each / page_size; page += 2 * round) {
                Atomic<u64>& word = word_at(base + page_size * page);
                bad += word.load(relaxed) == 0 ? 0 : 1;
                word.store(round, relaxed);
            }
            bad += kernels().protect(base + 64_KiB, 32_KiB, PageAccess::read) ? 0 : 1;
            bad += kernels().unmap(base + 16_KiB, 16_KiB) ? 0 : 1;
            bad += word_at(base).load(relaxed) == round ? 0 : 1;
            bad += kernels().unmap(base, each) ? 0 : 1;
            sync::relax();
        }
        wrong.fetch_add(bad, relaxed);
    });
    EXPECT_EQ(wrong.load(relaxed), 0u);
}

TEST(SpacesMany, NobodyReadsWhatAnAddressLedToBefore) {
    constexpr u64 rounds = 24;
    SharedPlace const place(2_MiB);
    test::Meeting meeting(test::running_cpus());
    Atomic<u64> wrong{0};
    test::on_every_cpu([&](u32 index) {
        u64 bad = 0;
        for (u64 round = 0; round < rounds; ++round) {
            VirtAddr const page = place.base() + page_size * (round % 3);
            bool const is_mine = round % test::running_cpus() == index;
            if (is_mine) {
                bad += kernels().map_zero(page, page_size, PageAccess::read_write) ? 0 : 1;
                word_at(page).store(round + 1, relaxed);
            }
            meeting.meet();
            bad += word_at(page).load(relaxed) == round + 1 ? 0 : 1;
            meeting.meet();
            if (is_mine) {
                bad += kernels().unmap(page, page_size) ? 0 : 1;
                // Another frame takes its place with the next round.
            }
        }
        wrong.fetch_add(bad, relaxed);
    });
    EXPECT_EQ(wrong.load(relaxed), 0u);
}

TEST(SpacesMany, APageThatAllTouchFirstIsMadeOnce) {
    constexpr u64 pages = 64;
    SharedPlace const place(2_MiB);
    ASSERT_TRUE(kernels().map_zero(place.base(), 2_MiB, PageAccess::read_write).has_value());
    u64 const before = kernels().statistics().zeroed;
    test::on_every_cpu([&](u32) {
        for (u64 page = 0; page < pages; ++page) {
            word_at(place.base() + page_size * page).fetch_add(page + 1, relaxed);
        }
    });
    EXPECT_EQ(kernels().statistics().zeroed, before + pages);
    for (u64 page = 0; page < pages; ++page) {
        ASSERT_EQ(
            word_at(place.base() + page_size * page).load(relaxed),
            (page + 1) * test::running_cpus());
    }
}

TEST(SpacesMany, PagesAreGatheredWhileTheyAreWrittenTo) {
    constexpr u64 additions = 500;
    SharedPlace const place(2_MiB);
    ASSERT_TRUE(kernels().map_zero(place.base(), 2_MiB, PageAccess::read_write).has_value());
    for (u64 page = 0; page < 512; ++page) {
        word_at(place.base() + page_size * page).store(0, relaxed);
    }
    Atomic<u64> wrong{0};
    Atomic<u64> expected{0};
    test::on_every_cpu([&](u32 index) {
        if (index == 0) {
            for (int i = 0; i < 2; ++i) {
                auto const made = kernels().promote(place.base(), 2_MiB);
                wrong.fetch_add(made ? 0 : 1, relaxed);
            }
            return;
        }
        Random random(index);
        u64 sum = 0;
        for (u64 i = 0; i < additions; ++i) {
            u64 const amount = random.below(1000);
            word_at(place.base() + page_size * random.below(512)).fetch_add(amount, relaxed);
            sum += amount;
            sync::relax();
        }
        expected.fetch_add(sum, relaxed);
    });
    u64 sum = 0;
    for (u64 page = 0; page < 512; ++page) {
        sum += word_at(place.base() + page_size * page).load(relaxed);
    }
    EXPECT_EQ(wrong.load(relaxed), 0u);
    EXPECT_EQ(sum, expected.load(relaxed));
    EXPECT_TRUE(kernels().promote(place.base(), 2_MiB).has_value());
    EXPECT_EQ(
        kernels().translate(place.base())->level, hal::Mmu::highest_leaf_level() > 0 ? 1u : 0u);
}

namespace {

constexpr VirtAddr parts_base{0x4000'0000};
/// Processors that take part: each allocation of all of them is refused once and for good.
constexpr u32 users = 2;

/// What every processor does with one space: maps, writes, clones, cuts and unmaps its own part.
Result<void> use_part(AddressSpace& space, u64 index) {
    VirtAddr const base = parts_base + 64_KiB * index;
    TRY(space.map_zero(base, 32_KiB, PageAccess::read_write));
    TRY(put(space, base, index));
    TRY(put(space, base + 12_KiB, index));
    {
        AddressSpace copy = TRY(space.clone());
        TRY(put(copy, base, 7));
        u64 const theirs = TRY(get(copy, base + 12_KiB));
        u64 const ours = TRY(get(space, base));
        TRY(copy.check());
        if (theirs != index || ours != index) {
            return Error::corrupted;
        }
    }
    TRY(put(space, base, index + 1));
    TRY(space.protect(base + 4_KiB, 8_KiB, PageAccess::read));
    return space.unmap(base, 32_KiB);
}

} // namespace

TEST(SpacesMany, EveryAllocationMayFailOnceOrForGood) {
    PhysAddr const root = kernels().root();
    u64 needed = 0;
    auto const run = [&](TestFrames& test, AddressSpace& space) {
        Atomic<u64> wrong{0};
        Atomic<u64> refused{0};
        test::on_every_cpu([&](u32 index) {
            if (index >= users) {
                return;
            }
            auto const outcome = use_part(space, index);
            bool const lacked = !outcome && outcome.error() == Error::out_of_memory;
            refused.fetch_add(lacked ? 1 : 0, relaxed);
            wrong.fetch_add(outcome || lacked ? 0 : 1, relaxed);
        });
        test.source.recover();
        EXPECT_EQ(wrong.load(relaxed), 0u);
        EXPECT_TRUE(space.check().has_value());
        return refused.load(relaxed);
    };
    {
        TestFrames test;
        auto space = AddressSpace::create(test.frames, root).value();
        u64 const before = test.source.calls();
        EXPECT_EQ(run(test, space), 0u);
        needed = test.source.calls() - before;
    }
    EXPECT_GE(needed, 10u);
    for (u64 call = 0; call < needed; ++call) {
        for (bool const for_good : {false, true}) {
            TestFrames test; // counts at its end that nothing is lost
            auto space = AddressSpace::create(test.frames, root).value();
            for_good ? test.source.fail_from(call) : test.source.fail_at(call);
            run(test, space);
        }
    }
}
