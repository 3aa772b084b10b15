// The queue over a disk of variables: what is merged and cut is seen there, each request ends once
// with what is true of it, and the bytes are where they belong, whatever fails.
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

#include <algorithm>
#include <array>

using namespace twofold;
using namespace twofold::test_block;

namespace {

struct Staged : Room {
    explicit Staged(u64 sectors = 512) : disk(sectors), memory(64) {}
    ~Staged() {
        if (queue != nullptr) {
            queue->close();
        }
    }
    /// Once the disk has its shape.
    Queue& open() {
        queue = Queue::open(*kernel.heap, completions, disk).value();
        return *queue;
    }

    ModelDisk disk;
    Pages memory;
    Queue* queue = nullptr;
};

/// Submits them under one hold.
void submit_held(Queue& queue, std::initializer_list<Noted*> all) {
    sync::NoPreemptGuard const stay;
    queue.hold();
    for (Noted* const each : all) {
        EXPECT_TRUE(queue.submit(each->request).has_value());
    }
    queue.release();
}

} // namespace

TEST(BlockQueue, WithoutHoldARequestGoesStraightThrough) {
    Staged it;
    Queue& queue = it.open();
    Noted one(Operation::read, 3, 2, it.memory.place());
    EXPECT_TRUE(queue.submit(one.request).has_value());
    ASSERT_EQ(it.disk.held(), 1u);
    EXPECT_EQ(it.disk.asked[0].sector, 3u);
    it.disk.end_all();
    EXPECT_TRUE(one.is_done());
    EXPECT_EQ(queue.counts().merged, 0u);
}

TEST(BlockQueue, WhatIsHeldIsMergedAndSorted) {
    Staged it;
    Queue& queue = it.open();
    // In memory they do not follow one another, so each is a segment.
    Noted second(Operation::write, 11, 1, it.memory.place(0x3000));
    Noted far(Operation::write, 40, 1, it.memory.place(0x4000));
    Noted first(Operation::write, 10, 1, it.memory.place(0x2000));
    Noted third(Operation::write, 12, 2, it.memory.place(0x5000));
    {
        sync::NoPreemptGuard const stay;
        queue.hold();
        for (Noted* const each : {&far, &second, &first, &third}) {
            EXPECT_TRUE(queue.submit(each->request).has_value());
        }
        EXPECT_EQ(it.disk.submitted, 0u);
        queue.release();
    }
    ASSERT_EQ(it.disk.submitted, 2u);
    EXPECT_EQ(it.disk.holds, 0u);
    EXPECT_EQ(it.disk.asked[0].sector, 10u);
    EXPECT_EQ(it.disk.asked[0].count, 4u);
    EXPECT_EQ(it.disk.asked[0].segments, 3u);
    EXPECT_EQ(it.disk.asked[1].sector, 40u);
    it.memory.bytes()[0x3000] = std::byte{7};
    it.disk.end_all();
    for (Noted* const each : {&far, &second, &first, &third}) {
        EXPECT_TRUE(each->is_done());
    }
    EXPECT_EQ(it.disk.sector(11)[0], std::byte{7});
    EXPECT_EQ(queue.counts().merged, 3u);
}

TEST(BlockQueue, WhatFollowsInMemoryIsOneSegment) {
    Staged it;
    it.disk.shape.segments_max = 1;
    Queue& queue = it.open();
    Noted first(Operation::read, 10, 1, it.memory.place(0x2000));
    Noted second(Operation::read, 11, 1, it.memory.place(0x2200));
    submit_held(queue, {&first, &second});
    ASSERT_EQ(it.disk.submitted, 1u);
    EXPECT_EQ(it.disk.asked[0].segments, 1u);
    it.disk.end_all();
    EXPECT_TRUE(first.is_done() && second.is_done());
}

TEST(BlockQueue, NothingIsMergedAcrossAFlushOrAWriteThrough) {
    Staged it;
    Queue& queue = it.open();
    Noted a(Operation::write, 10, 1, it.memory.place(0x2000));
    Noted flush(Operation::flush, 0, 0, {});
    Noted b(Operation::write, 11, 1, it.memory.place(0x3000));
    Noted through(Operation::write, 12, 1, it.memory.place(0x4000));
    through.request.is_through = true;
    Noted c(Operation::write, 9, 1, it.memory.place(0x5000));
    submit_held(queue, {&a, &flush, &b, &through, &c});
    ASSERT_EQ(it.disk.submitted, 5u);
    u64 const order[] = {10, 0, 11, 12, 9};
    for (usize i = 0; i < 5; ++i) {
        EXPECT_EQ(it.disk.asked[i].sector, order[i]);
    }
    it.disk.end_all();
    for (Noted* const each : {&a, &flush, &b, &through, &c}) {
        EXPECT_TRUE(each->is_done());
    }
}

TEST(BlockQueue, ReadsAndWritesAreNotMergedAndTheDevicesLimitsHold) {
    Staged it;
    it.disk.shape.sectors_max = 3;
    Queue& queue = it.open();
    Noted a(Operation::write, 10, 2, it.memory.place(0x2000));
    Noted b(Operation::write, 12, 2, it.memory.place(0x3000));
    Noted c(Operation::read, 14, 1, it.memory.place(0x4000));
    submit_held(queue, {&a, &b, &c});
    EXPECT_EQ(it.disk.submitted, 3u);
    it.disk.end_all();
    EXPECT_TRUE(a.is_done() && b.is_done() && c.is_done());
}

TEST(BlockQueue, OfMergedRequestsOnlyThatFailsWhichIsBad) {
    Staged it;
    it.disk.bad_sector = 12;
    Queue& queue = it.open();
    Noted all[4] = {
        {Operation::write, 10, 1, it.memory.place(0x2000)},
        {Operation::write, 11, 1, it.memory.place(0x3000)},
        {Operation::write, 12, 1, it.memory.place(0x4000)},
        {Operation::write, 13, 1, it.memory.place(0x5000)}};
    submit_held(queue, {&all[0], &all[1], &all[2], &all[3]});
    EXPECT_EQ(it.disk.submitted, 1u);
    it.disk.end_all();
    EXPECT_EQ(it.disk.submitted, 5u);
    EXPECT_TRUE(all[0].is_done() && all[1].is_done() && all[3].is_done());
    EXPECT_TRUE(all[2].has_failed(Error::io_failed));
}

TEST(BlockQueue, WhatTheDeviceRefusesEndsLater) {
    Staged it;
    it.disk.refuses = 1;
    Queue& queue = it.open();
    Noted a(Operation::write, 10, 1, it.memory.place(0x2000));
    Noted b(Operation::write, 20, 1, it.memory.place(0x3000));
    submit_held(queue, {&a, &b});
    EXPECT_TRUE(comes([&] { return a.times == 1; }));
    EXPECT_TRUE(a.has_failed(Error::io_failed));
    it.disk.end_all();
    EXPECT_TRUE(b.is_done());
    it.disk.refuses = 1;
    Noted c(Operation::write, 10, 1, it.memory.place(0x2000));
    auto const straight = queue.submit(c.request);
    ASSERT_FALSE(straight.has_value());
    EXPECT_EQ(straight.error(), Error::io_failed);
    EXPECT_EQ(c.times, 0u);
}

TEST(BlockQueue, ALargeRequestIsCutAndEndsOnce) {
    Staged it;
    Queue& queue = it.open();
    for (usize i = 0; i < 0x10000; ++i) {
        it.memory.bytes()[i] = static_cast<std::byte>(i * 7 >> 4);
    }
    Noted large(Operation::write, 5, 100, it.memory.place(0));
    EXPECT_TRUE(queue.submit(large.request).has_value());
    EXPECT_EQ(it.disk.submitted, 4u);
    while (it.disk.held() > 1) {
        it.disk.end(it.disk.held() - 1);
    }
    EXPECT_EQ(large.times, 0u);
    it.disk.end_all();
    EXPECT_TRUE(large.is_done());
    EXPECT_EQ(std::memcmp(it.disk.sector(5).data(), it.memory.bytes().data(), 100 * 512), 0);
    EXPECT_EQ(queue.counts().split, 1u);
}

TEST(BlockQueue, OfALargeRequestTheFirstErrorIsTold) {
    Staged it;
    it.disk.bad_sector = 50;
    Queue& queue = it.open();
    Noted large(Operation::read, 5, 100, it.memory.place(0));
    EXPECT_TRUE(queue.submit(large.request).has_value());
    it.disk.end_all();
    EXPECT_TRUE(large.has_failed(Error::io_failed));
}

TEST(BlockQueue, APieceThatIsRefusedEndsTheWhole) {
    for (u32 refused = 1; refused <= 4; ++refused) {
        Staged it;
        Queue& queue = it.open();
        it.disk.refuses = refused;
        Noted large(Operation::read, 5, 100, it.memory.place(0));
        EXPECT_TRUE(queue.submit(large.request).has_value());
        it.disk.end_all();
        EXPECT_TRUE(comes([&] { return large.times == 1; }));
        EXPECT_TRUE(large.has_failed(Error::io_failed));
    }
}

TEST(BlockQueue, PiecesWaitForChildrenInTheirOrder) {
    Staged it(4096);
    it.disk.shape.sectors_max = 2;
    Queue& queue = it.open();
    Noted all[4] = {
        {Operation::read, 0, 60, it.memory.place(0)},
        {Operation::read, 100, 60, it.memory.place(0)},
        {Operation::read, 200, 60, it.memory.place(0)},
        {Operation::read, 300, 60, it.memory.place(0)}};
    for (Noted& each : all) {
        EXPECT_TRUE(queue.submit(each.request).has_value());
    }
    EXPECT_EQ(it.disk.held(), usize{Pieces::children});
    EXPECT_GT(queue.counts().waited, 0u);
    u32 steps = 0;
    while (it.disk.held() != 0 && ++steps < 1000) {
        it.disk.end(0);
    }
    u64 last = 0;
    for (Asked const& asked : it.disk.asked) {
        EXPECT_TRUE(asked.sector >= last);
        last = asked.sector;
    }
    EXPECT_EQ(it.disk.submitted, 120u);
    for (Noted& each : all) {
        EXPECT_TRUE(each.is_done());
    }
}

TEST(BlockQueue, MoreThanAHoldKeepsIsSentAtOnce) {
    Staged it(4096);
    Queue& queue = it.open();
    constexpr u32 count = Queue::staged_max + 10;
    static_assert(count <= 128);
    auto all =
        memory::Box<std::array<Noted, count>, memory::KernelHeap>::create(*it.kernel.heap).value();
    {
        sync::NoPreemptGuard const stay;
        queue.hold();
        for (u32 i = 0; i < count; ++i) {
            Noted& each = (*all)[i];
            each.ask(Operation::read, u64{i} * 3, 1);
            each.add(it.memory.place(), 512);
            EXPECT_TRUE(queue.submit(each.request).has_value());
        }
        EXPECT_EQ(it.disk.submitted, Queue::staged_max);
        queue.release();
    }
    EXPECT_EQ(it.disk.submitted, count);
    it.disk.end_all();
    for (Noted& each : *all) {
        EXPECT_TRUE(each.is_done());
    }
}

TEST(BlockQueue, WhatMakesNoSenseIsRefusedAtOnce) {
    Staged it;
    Queue& queue = it.open();
    Noted beyond(Operation::read, 512, 1, it.memory.place());
    EXPECT_EQ(queue.submit(beyond.request).error(), Error::out_of_range);
    Noted empty(Operation::read, 0, 0, it.memory.place());
    EXPECT_EQ(queue.submit(empty.request).error(), Error::invalid_argument);
    EXPECT_EQ(it.disk.submitted, 0u);
}

namespace {

/// Random requests that do not touch each other, against a plain copy of what is on the disk.
struct Campaign {
    static constexpr u32 sectors = 512, width = 16;

    Campaign(u64 seed, u32 bad) : random(seed) {
        it.disk.shape.sectors_max = 6;
        it.disk.shape.segments_max = 3;
        it.disk.shape.segment_boundary = random.below(2) == 0 ? 1 : 512;
        it.disk.bad_sector = bad;
        it.open();
    }

    /// A request in the part of the disk and of the memory that is the slot's own.
    void make(u32 slot) {
        constexpr u32 share = sectors / width;
        Noted& each = noted[slot];
        each.times = 0;
        u32 const first = static_cast<u32>(random.below(share));
        u32 const count = 1 + static_cast<u32>(random.below(share - first));
        bool const is_write = random.below(2) == 0;
        each.ask(is_write ? Operation::write : Operation::read, slot * share + first, count);
        each.request.is_through = is_write && random.below(8) == 0;
        u64 at = u64{slot} * 4 * page_size.value;
        for (u32 left = count; left != 0;) {
            u32 const step = 1 + static_cast<u32>(random.below(left));
            each.add(it.memory.place(at), step * 512);
            for (u64 i = 0; is_write && i < u64{step} * 512; ++i) {
                it.memory.bytes()[at + i] = static_cast<std::byte>(random.next());
            }
            // Some follow one another in memory, and the share of 16 KiB holds them all.
            at += u64{step} * 512;
            left -= step;
        }
    }

    std::span<std::byte> buffer(u32 slot) {
        return it.memory.bytes().subspan(
            u64{slot} * 4 * page_size.value, u64{noted[slot].request.count} * 512);
    }

    bool is_bad(Request const& request) const {
        return it.disk.bad_sector - request.sector < request.count;
    }

    void round() {
        u32 const count = 1 + static_cast<u32>(random.below(width));
        for (u32 slot = 0; slot < count; ++slot) {
            make(slot);
        }
        {
            sync::NoPreemptGuard const stay;
            bool const holds = random.below(4) != 0;
            if (holds) {
                it.queue->hold();
            }
            for (u32 slot = 0; slot < count; ++slot) {
                EXPECT_TRUE(it.queue->submit(noted[slot].request).has_value());
            }
            if (holds) {
                it.queue->release();
            }
        }
        while (it.disk.held() != 0) {
            it.disk.end(random.below(it.disk.held()));
        }
        for (u32 slot = 0; slot < count; ++slot) {
            look(slot);
        }
    }

    void look(u32 slot) {
        Noted& each = noted[slot];
        Request const& request = each.request;
        EXPECT_EQ(each.times, 1u);
        EXPECT_EQ(each.outcome.has_value(), !is_bad(request));
        auto const medium =
            std::span(it.disk.sector(request.sector).data(), u64{request.count} * 512);
        bool const is_equal = std::ranges::equal(medium, buffer(slot));
        EXPECT_TRUE(!each.outcome || is_equal);
    }

    Staged it{sectors};
    Random random;
    Noted noted[width];
};

} // namespace

TEST(BlockQueue, RandomRequestsEndOnceWithTheRightBytes) {
    for (u64 seed = 1; seed <= 12; ++seed) {
        auto campaign = memory::Box<Campaign, memory::KernelHeap>::create(
            *boot::current_kernel().heap, seed, seed % 3 == 0 ? u32{77} : ~u32{0});
        ASSERT_TRUE(campaign.has_value());
        for (u32 round = 0; round < 40; ++round) {
            campaign.value()->it.disk.asked.clear();
            campaign.value()->round();
        }
    }
}

TEST(BlockQueue, AnErrorAtEveryRequestIsTrueOfOne) {
    for (u32 at = 0; at < 12; ++at) {
        Staged it;
        it.disk.fails_at = at;
        Queue& queue = it.open();
        Noted small[4] = {
            {Operation::write, 10, 1, it.memory.place(0x2000)},
            {Operation::write, 11, 1, it.memory.place(0x3000)},
            {Operation::write, 12, 1, it.memory.place(0x4000)},
            {Operation::read, 40, 1, it.memory.place(0x5000)}};
        Noted large(Operation::write, 100, 100, it.memory.place(0x8000));
        submit_held(queue, {&small[0], &small[1], &small[2], &small[3]});
        EXPECT_TRUE(queue.submit(large.request).has_value());
        it.disk.end_all();
        u32 failed = large.outcome ? 0 : 1;
        EXPECT_EQ(large.times, 1u);
        for (Noted& each : small) {
            EXPECT_EQ(each.times, 1u);
            failed += each.outcome ? 0 : 1;
        }
        EXPECT_LE(failed, 1u); // three that were merged succeed alone
    }
}
