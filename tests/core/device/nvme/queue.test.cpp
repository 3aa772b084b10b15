// Queues for I/O, with a controller in memory that does what it should, and one that does not.
#include "tests/support/running_nvme.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_nvme;
using block::Operation;

TEST(NvmeQueue, ACommandIsWhatWasAskedFor) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    ASSERT_TRUE(it.space != nullptr);
    EXPECT_EQ(it.space->name(), "nvme0n1");
    EXPECT_EQ(it.space->geometry().sectors_max, 256u); // 128 KiB
    Noted noted(Operation::write, 0x1'2345, 8, 0x10'0e00);
    noted.is_through = true;
    ASSERT_TRUE(it.space->submit(noted).has_value());
    auto const command = it.scripted->take(1);
    ASSERT_TRUE(command.has_value());
    EXPECT_EQ(command->opcode, static_cast<u8>(Opcode::write));
    EXPECT_EQ(command->space, 1u);
    EXPECT_EQ(command->word10, 0x1'2345u);
    EXPECT_EQ(command->word11, 0u);
    EXPECT_EQ(command->word12, 7u | force_unit_access);
    EXPECT_EQ(command->data[0], 0x10'0e00u);
    EXPECT_EQ(command->data[1], 0x10'1000u);
    it.scripted->interrupt(1);
    EXPECT_EQ(noted.times, 0u); // it was spurious
    it.scripted->complete(1, command->id);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
    EXPECT_EQ(it.counts().descriptors, 2u);
    EXPECT_EQ(it.counts().completed, 1u);
    EXPECT_EQ(it.counts().interrupts, 2u);
}

TEST(NvmeQueue, OtherCommandsSayWhatTheyAre) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted flush, zeroes(Operation::write_zeroes, 16, 9), free(Operation::deallocate, 32, 100'000);
    for (Noted* const each : {&flush, &zeroes, &free}) {
        ASSERT_TRUE(it.space->submit(*each).has_value());
    }
    auto const first = it.scripted->take(1), second = it.scripted->take(1),
               third = it.scripted->take(1);
    EXPECT_EQ(first->opcode, static_cast<u8>(Opcode::flush));
    EXPECT_EQ(second->opcode, static_cast<u8>(Opcode::write_zeroes));
    EXPECT_EQ(second->word10, 16u);
    EXPECT_EQ(second->word12, 8u);
    EXPECT_EQ(third->opcode, static_cast<u8>(Opcode::dataset_management));
    EXPECT_EQ(third->word10, 0u);
    EXPECT_EQ(third->word11, deallocate_attribute);
    auto const range = read<Range>(third->data[0]);
    EXPECT_EQ(range.first, 32u);
    EXPECT_EQ(range.blocks, 100'000u);
    for (u16 const id : {third->id, first->id, second->id}) {
        it.scripted->complete(1, id);
    }
    it.scripted->interrupt(1);
    EXPECT_TRUE(flush.is_done() && zeroes.is_done() && free.is_done());
}

TEST(NvmeQueue, ManyZerosAreSeveralCommands) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted zeroes(Operation::write_zeroes, 5, 150'000);
    ASSERT_TRUE(it.space->submit(zeroes).has_value());
    constexpr u32 firsts[] = {5, 5 + 65536, 5 + 131072}, counts[] = {65536, 65536, 18928};
    for (u32 i = 0; i < 3; ++i) {
        EXPECT_EQ(zeroes.times, 0u);
        auto const command = it.scripted->take(1);
        ASSERT_TRUE(command.has_value());
        EXPECT_EQ(command->word10, firsts[i]);
        EXPECT_EQ(command->word12 & 0xffff, counts[i] - 1);
        it.scripted->complete(1, command->id);
        it.scripted->interrupt(1);
    }
    EXPECT_TRUE(zeroes.is_done());
}

TEST(NvmeQueue, WhatIsWrongIsRefusedAtOnce) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted large(Operation::read, 0, 257), odd(Operation::read, 0, 1, 0x10'0002),
        outside(Operation::read, 1u << 20, 1), none(Operation::read, 0, 0);
    EXPECT_EQ(it.space->submit(large).error(), Error::invalid_argument); // beyond MDTS
    EXPECT_EQ(it.space->submit(odd).error(), Error::invalid_argument);
    EXPECT_EQ(it.space->submit(outside).error(), Error::out_of_range);
    EXPECT_EQ(it.space->submit(none).error(), Error::invalid_argument);
    EXPECT_FALSE(it.scripted->take(1).has_value());
    EXPECT_EQ(large.times + odd.times + outside.times + none.times, 0u);
}

TEST(NvmeQueue, TheDoorbellIsRungOnceForMany) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    constexpr u32 depth = 32, rounds = 50;
    Many<depth> requests;
    it.scripted->set_status(csts::ready);
    for (u32 round = 0; round < rounds; ++round) {
        it.space->hold();
        for (u32 i = 0; i < depth; ++i) {
            Noted& each = requests[i];
            each.times = 0;
            ASSERT_TRUE(it.space->submit(each).has_value());
        }
        it.space->release();
        ASSERT_EQ(it.answer(depth), depth);
        it.scripted->interrupt(1);
        ASSERT_EQ(requests.done(), depth);
    }
    QueueCounts const counts = it.counts();
    EXPECT_EQ(counts.completed, depth * rounds);
    EXPECT_EQ(counts.submission_doorbells, u64{rounds});
    EXPECT_EQ(counts.completion_doorbells, u64{rounds});
    EXPECT_EQ(it.scripted->queues[1].rings, rounds);
    EXPECT_EQ(it.scripted->completion_rings, rounds);
    // At most one write for 16 requests, of both doorbells together.
    EXPECT_LE((counts.submission_doorbells + counts.completion_doorbells) * 16, counts.completed);
}

TEST(NvmeQueue, TheHeadDoorbellWaitsForAQuarterOfTheQueue) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    constexpr u32 quarter = QueuePair::entries_max / 4, rounds = 5;
    Many<1> requests;
    it.scripted->set_status(csts::ready);
    for (u32 i = 0; i < quarter * rounds + quarter / 2; ++i) {
        requests[0].times = 0;
        ASSERT_TRUE(it.space->submit(requests[0]).has_value());
        ASSERT_EQ(it.answer(1), 1u);
        it.scripted->interrupt(1);
        ASSERT_EQ(requests.done(), 1u);
    }
    EXPECT_EQ(it.scripted->completion_rings, rounds);
    EXPECT_EQ(it.counts().completion_doorbells, u64{rounds});
}

namespace {

/// Submits itself again and again.
struct Eager : block::Request {
    NamespaceDevice* space = nullptr;
    u32 left = 0;
    u32 refused = 0;

    void begin(NamespaceDevice& device, u32 times) {
        space = &device;
        left = times;
        operation = Operation::flush;
        done = [](block::Request& self, Result<void>) {
            auto& eager = static_cast<Eager&>(self);
            if (--eager.left != 0) {
                eager.refused += eager.space->submit(eager) ? 0 : 1;
            }
        };
        refused += device.submit(*this) ? 0 : 1;
    }
};

} // namespace

TEST(NvmeQueue, WhatIsSubmittedWhileDrainingIsRungAtTheEnd) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    constexpr u32 depth = 48, rounds = 40;
    Eager eager[depth];
    it.space->hold();
    for (Eager& each : eager) {
        each.begin(*it.space, rounds);
    }
    it.space->release();
    for (u32 round = 0; round < rounds; ++round) {
        ASSERT_EQ(it.answer(depth), depth);
        it.scripted->interrupt(1);
    }
    for (Eager const& each : eager) {
        EXPECT_EQ(each.left + each.refused, 0u);
    }
    QueueCounts const counts = it.counts();
    EXPECT_EQ(counts.completed, depth * rounds);
    EXPECT_EQ(counts.completion_doorbells, u64{rounds});
    EXPECT_LE(counts.submission_doorbells, u64{rounds} * 2); // a full batch does not wait
    EXPECT_LE((counts.submission_doorbells + counts.completion_doorbells) * 16, counts.completed);
}

TEST(NvmeQueue, WhoFindsNoSlotWaitsInOrder) {
    Running it;
    auto options = Running::patient();
    options.entries = 8;
    ASSERT_TRUE(it.open(options).has_value());
    Many<20> requests;
    for (u32 i = 0; i < 20; ++i) {
        Noted& each = requests[i];
        each.operation = Operation::write_zeroes;
        each.sector = i;
        each.count = 1;
        ASSERT_TRUE(it.space->submit(each).has_value());
    }
    EXPECT_EQ(it.counts().waited, 13u); // seven slots
    u32 seen = 0;
    while (auto const command = it.scripted->take(1)) {
        EXPECT_EQ(command->word10, seen);
        ++seen;
        it.scripted->complete(1, command->id);
        it.scripted->interrupt(1);
        EXPECT_EQ(requests.done(), seen);
    }
    EXPECT_EQ(seen, 20u);
    EXPECT_TRUE(it.queue().is_at_rest());
}

TEST(NvmeQueue, RunsRoundItsQueuesForEver) {
    Running it;
    auto options = Running::patient();
    options.entries = 16;
    ASSERT_TRUE(it.open(options).has_value());
    constexpr u32 rounds = 20'000; // more than an identifier counts
    for (u32 i = 0; i < rounds; ++i) {
        Noted one(Operation::read, i, 1), other(Operation::write, i, 1);
        ASSERT_TRUE(it.space->submit(one).has_value());
        ASSERT_TRUE(it.space->submit(other).has_value());
        auto const first = it.scripted->take(1), second = it.scripted->take(1);
        ASSERT_TRUE(first.has_value() && second.has_value());
        it.scripted->complete(1, second->id);
        it.scripted->complete(1, first->id);
        it.scripted->interrupt(1);
        ASSERT_TRUE(one.is_done() && other.is_done());
    }
    EXPECT_EQ(it.counts().completed, u64{rounds} * 2);
    EXPECT_EQ(it.counts().spurious, 0u);
}

TEST(NvmeQueue, ACompletionOfAnotherPhaseIsNotSeen) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted noted;
    ASSERT_TRUE(it.space->submit(noted).has_value());
    auto const command = it.scripted->take(1);
    it.scripted->queues[1].phase = false;
    it.scripted->complete(1, command->id);
    it.scripted->interrupt(1);
    EXPECT_EQ(noted.times, 0u);
    it.scripted->queues[1].phase = true;
    it.scripted->queues[1].tail = 0;
    it.scripted->complete(1, command->id);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
}

TEST(NvmeQueue, CompletionsThatNobodyWaitsForAreDropped) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted noted, flying;
    ASSERT_TRUE(it.space->submit(noted).has_value());
    ASSERT_TRUE(it.space->submit(flying).has_value());
    u16 const id = it.scripted->take(1)->id;
    it.scripted->complete(1, id);
    it.scripted->complete(1, id);                              // twice
    it.scripted->complete(1, static_cast<u16>(id + (1 << 7))); // of a use that is to come
    it.scripted->complete(1, 127);                             // of no slot
    it.scripted->complete(1, 0xffff);
    it.scripted->complete(1, 5); // of a free slot
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
    EXPECT_EQ(flying.times, 0u);
    EXPECT_EQ(it.counts().spurious, 5u);
    // A late one does not hit whoever has the slot now.
    Noted next;
    ASSERT_TRUE(it.space->submit(next).has_value());
    it.scripted->complete(1, id);
    it.scripted->interrupt(1);
    EXPECT_EQ(next.times, 0u);
    EXPECT_EQ(it.answer(2), 2u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(next.is_done() && flying.is_done());
}

TEST(NvmeQueue, WhatMaySucceedIsGivenAgain) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted noted(Operation::read, 7, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    for (u32 i = 0; i < 3; ++i) {
        EXPECT_EQ(it.answer(1, status::internal_error), 1u);
        it.scripted->interrupt(1);
        EXPECT_EQ(noted.times, 0u);
    }
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
    EXPECT_EQ(it.counts().retries, 3u);
    Noted hopeless(Operation::read, 7, 1), final(Operation::read, 7, 1);
    ASSERT_TRUE(it.space->submit(hopeless).has_value());
    for (u32 i = 0; i <= QueuePair::retries_max; ++i) {
        EXPECT_EQ(it.answer(1, status::write_fault), 1u);
        it.scripted->interrupt(1);
    }
    EXPECT_TRUE(hopeless.has_failed(Error::io_failed));
    ASSERT_TRUE(it.space->submit(final).has_value());
    EXPECT_EQ(it.answer(1, status::internal_error | do_not_retry), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(final.has_failed(Error::io_failed));
    EXPECT_EQ(it.counts().failed, 2u);
}

TEST(NvmeQueue, WhatFailsSaysWhy) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    for (u16 const kind :
         {status::lba_out_of_range, status::unrecovered_read, status::access_denied,
          status::invalid_field, status::invalid_namespace, status::capacity_exceeded}) {
        Noted noted(Operation::read, 0, 1);
        ASSERT_TRUE(it.space->submit(noted).has_value());
        EXPECT_EQ(it.answer(1, kind), 1u);
        it.scripted->interrupt(1);
        EXPECT_TRUE(noted.has_failed(verdict_of({kind}).error));
    }
}

TEST(NvmeQueue, NothingIsAllocatedOnTheWay) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    boot::Kernel& kernel = boot::current_kernel();
    auto const heap_before = kernel.heap->statistics();
    auto const frames_before = kernel.frames->statistics();
    Noted one(Operation::read, 0, 256, 0x10'0000), small(Operation::write, 0, 1);
    for (u32 i = 0; i < 200; ++i) {
        one.times = small.times = 0;
        ASSERT_TRUE(it.space->submit(one).has_value());
        ASSERT_TRUE(it.space->submit(small).has_value());
        EXPECT_EQ(it.answer(2), 2u);
        it.scripted->interrupt(1);
        EXPECT_TRUE(one.is_done() && small.is_done());
    }
    EXPECT_EQ(it.counts().lists, 200u);
    EXPECT_EQ(it.counts().descriptors, 200u * 33);
    EXPECT_EQ(kernel.heap->statistics().requested_ever, heap_before.requested_ever);
    EXPECT_EQ(kernel.frames->statistics().allocations, frames_before.allocations);
}

TEST(NvmeQueue, WithSglOnePieceIsOneDescriptor) {
    Running it;
    it.scripted->said.sgl_support = 1;
    ASSERT_TRUE(it.open().has_value());
    EXPECT_EQ(it.space->geometry().segment_boundary, 1u);
    Noted large(Operation::read, 0, 256, 0x10'0001), apart(Operation::write, 0, 2);
    block::Segment const segments[] = {
        {PhysAddr{0x10'0003}, 500}, {PhysAddr{0x20'0000}, 100}, {PhysAddr{0x20'0064}, 424}};
    apart.segments = segments;
    ASSERT_TRUE(it.space->submit(large).has_value());
    EXPECT_EQ(it.counts().descriptors, 1u);
    ASSERT_TRUE(it.space->submit(apart).has_value());
    EXPECT_EQ(it.counts().descriptors, 3u); // two of the segments are one piece
    EXPECT_EQ(it.counts().lists, 1u);
    EXPECT_EQ(it.answer(2), 2u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(large.is_done() && apart.is_done());
}

TEST(NvmeQueue, PollingFindsWhatNothingInterruptsFor) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    it.controller->set_mode(CompletionMode::polling);
    EXPECT_TRUE(it.scripted->masked[1]);
    EXPECT_FALSE(it.scripted->masked[0]);
    Noted noted;
    ASSERT_TRUE(it.space->submit(noted).has_value());
    EXPECT_EQ(it.space->poll(), 0u);
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_EQ(noted.times, 0u);
    EXPECT_EQ(it.space->poll(), 1u);
    EXPECT_TRUE(noted.is_done());
    EXPECT_EQ(it.counts().polls, 2u);
    Noted other;
    ASSERT_TRUE(it.space->submit(other).has_value());
    EXPECT_EQ(it.answer(1), 1u);
    it.controller->set_mode(CompletionMode::hybrid); // which looks at what there is
    EXPECT_FALSE(it.scripted->masked[1]);
    EXPECT_TRUE(other.is_done());
}

TEST(NvmeQueue, WhoWaitsGetsTheFirstError) {
    Running it;
    it.scripted->answers_at_once = true;
    ASSERT_TRUE(it.open().has_value());
    for (auto const mode : {CompletionMode::polling, CompletionMode::hybrid}) {
        it.controller->set_mode(mode);
        if (mode == CompletionMode::hybrid) {
            it.scripted->taken = [](void*, u16, Command const&) {};
        }
        block::Gathering gathering(*it.space);
        Noted one, other;
        EXPECT_TRUE(gathering.submit(one).has_value());
        EXPECT_TRUE(gathering.submit(other).has_value());
        it.space->poll();
        EXPECT_TRUE(gathering.wait().has_value());
    }
}
