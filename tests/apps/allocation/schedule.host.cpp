// From traces to operations, and the replay of operations on heaps that are right and heaps that
// are wrong.
#include "apps/allocation/schedule.hpp"
#include "apps/allocation/replay.hpp"
#include "tests/apps/allocation/traces.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace twofold::allocation::testing {

namespace {

using enum EventKind;

Schedule schedule_of(Bytes const& file, Places places) {
    TraceProblem problem;
    auto made = make_schedule(file, places, problem);
    EXPECT_TRUE(made.has_value()) << problem.what;
    return made ? std::move(made).value() : Schedule{};
}

std::string_view refusal_of(Bytes const& file) {
    TraceProblem problem;
    EXPECT_FALSE(make_schedule(file, Places::recycled, problem).has_value());
    EXPECT_LE(problem.offset, file.size());
    return problem.what;
}

/// Everything that a program does to memory, many times over.
Bytes busy_trace() {
    std::mt19937_64 random(11);
    MemoryTrace trace;
    std::vector<std::pair<u64, u64>> live;
    for (int step = 0; step < 20'000; ++step) {
        u64 const size = random() % 100 == 0 ? random() % 100'000 : random() % 500;
        if (live.size() < 50 || random() % 2 == 0) {
            auto const kind = static_cast<EventKind>(random() % 3);
            u8 const alignment = kind == allocate_aligned ? random() % 13 : 0;
            live.emplace_back(trace.writer().allocate(kind, size, alignment), size);
            continue;
        }
        auto& victim = live[random() % live.size()];
        if (random() % 4 == 0) {
            trace.writer().resize(victim.first, victim.second, size + 1);
            victim.second = size + 1;
        } else {
            trace.writer().release(victim.first, victim.second);
            victim = live.back();
            live.pop_back();
        }
    }
    return trace.finish();
}

/// The C library, with one thing that can be wrong.
struct FaultyHeap {
    u64 calls = 0;
    u64 refuse_at = ~u64{0};
    u64 dirty_zeroes_at = ~u64{0};
    u64 misalign_at = ~u64{0};
    u64 forget_on_resize_at = ~u64{0};
    void* victim = nullptr; ///< a block that somebody else writes to
    usize victim_bytes = 0;
    usize live = 0;

    void* note(void* block) {
        live += block != nullptr ? 1 : 0;
        return block;
    }
    void* allocate(usize size) {
        if (++calls == refuse_at) {
            return nullptr;
        }
        void* const block = note(std::malloc(size));
        if (calls == misalign_at) { // leaked by half on purpose: released through the base below
            return static_cast<std::byte*>(block) + 8;
        }
        victim = size > 0 ? block : victim;
        victim_bytes = size;
        return block;
    }
    void* allocate_zeroed(usize size) {
        void* const block = note(std::calloc(1, size));
        if (++calls >= dirty_zeroes_at && size > 0) {
            static_cast<char*>(block)[size - 1] = 1;
            dirty_zeroes_at = ~u64{0};
        }
        return block;
    }
    void* allocate_aligned(usize size, usize alignment) {
        ++calls;
        void* block = nullptr;
        return posix_memalign(&block, std::max(alignment, sizeof(void*)), size) == 0 ? note(block)
                                                                                     : nullptr;
    }
    void* resize(void* block, usize, usize size) {
        void* const moved = std::realloc(block, size);
        if (++calls >= forget_on_resize_at) {
            static_cast<char*>(moved)[0] = 0;
            forget_on_resize_at = ~u64{0};
        }
        return moved;
    }
    void release(void* block, usize) {
        --live;
        std::free(block);
    }
};

ReplayOutcome run(Schedule const& schedule, FaultyHeap& heap, u64 scribble_at = ~u64{0}) {
    std::vector<Block> blocks(schedule.places);
    auto replayed =
        replay<Touch::all>(schedule.operations, std::span(blocks), heap, [&](u64 number) {
            if (number == scribble_at) {
                static_cast<char*>(heap.victim)[heap.victim_bytes - 1] ^= 1;
            }
        });
    replayed.release_rest(schedule.operations.size());
    return replayed.outcome();
}

} // namespace

TEST(Schedule, RecyclesPlaces) {
    MemoryTrace trace;
    for (u64 object = 0; object < 10; ++object) {
        trace.writer().allocate(allocate, 10 + object);
        trace.writer().release(object, 10 + object);
    }
    trace.writer().allocate(allocate, 5);
    trace.writer().allocate(allocate, 6);
    Bytes const file = trace.finish();
    Schedule const recycled = schedule_of(file, Places::recycled);
    EXPECT_EQ(recycled.places, 2U);
    EXPECT_TRUE(recycled.turns.empty());
    EXPECT_EQ(recycled.live_bytes_peak_operation, 18U); // the tenth allocation, of 19 bytes
    EXPECT_EQ(recycled.operations.back(), (Operation{6, 1, 0, allocate, 0}));
    Schedule const unique = schedule_of(file, Places::unique);
    EXPECT_EQ(unique.places, 12U);
    ASSERT_EQ(unique.turns.size(), 22U);
    EXPECT_EQ(unique.turns[0], 0U);
    EXPECT_EQ(unique.turns[1], 1U);
}

TEST(Schedule, RefusesWhatIsDead) {
    MemoryTrace twice;
    twice.writer().allocate(allocate, 8);
    twice.writer().allocate(allocate, 8);
    twice.writer().release(0, 8);
    twice.writer().release(0, 8);
    EXPECT_EQ(refusal_of(twice.finish()), "uses an object after its release");
    MemoryTrace resized;
    resized.writer().allocate(allocate, 8);
    resized.writer().allocate(allocate, 8);
    resized.writer().release(0, 8);
    resized.writer().resize(0, 8, 9);
    EXPECT_EQ(refusal_of(resized.finish()), "uses an object after its release");
    MemoryTrace miscounted;
    miscounted.writer().allocate(allocate, 8);
    miscounted.writer().release(0, 7); // the writer is told the wrong size
    EXPECT_EQ(
        refusal_of(miscounted.finish()), "does not hold the live objects that its header counts");
}

TEST(Replay, ACleanHeapIsClean) {
    Schedule const schedule = schedule_of(busy_trace(), Places::recycled);
    EXPECT_EQ(schedule.places, schedule.counts.live_objects_max);
    FaultyHeap heap;
    ReplayOutcome const outcome = run(schedule, heap);
    EXPECT_TRUE(outcome.clean());
    EXPECT_EQ(heap.calls, schedule.counts.allocations + schedule.counts.resizes);
    EXPECT_EQ(heap.live, 0U);
}

TEST(Replay, FindsWhatIsWrong) {
    Schedule const schedule = schedule_of(busy_trace(), Places::recycled);
    FaultyHeap dirty{.dirty_zeroes_at = 100};
    EXPECT_EQ(run(schedule, dirty).wrong_content, 1U);
    FaultyHeap forgetful{.forget_on_resize_at = 100};
    EXPECT_GE(run(schedule, forgetful).wrong_content, 1U);
    FaultyHeap full{.refuse_at = 3};
    ReplayOutcome outcome = run(schedule, full);
    EXPECT_EQ(outcome.refused + (schedule.operations[2].kind == allocate ? 0U : 1U), 1U);
    FaultyHeap scribbled;
    outcome = run(schedule, scribbled, 1000);
    EXPECT_EQ(outcome.wrong_content, 1U);
    EXPECT_GT(outcome.first_wrong_operation, 1000U);
}

TEST(Replay, FindsMisalignedBlocks) {
    std::vector<Operation> const operations = {{64, 0, 0, allocate, 0}};
    std::array<Block, 1> blocks;
    FaultyHeap heap{.misalign_at = 1};
    auto const replayed =
        replay<Touch::none>(std::span(operations), std::span(blocks), heap, [](u64) {});
    EXPECT_EQ(replayed.outcome().misaligned, 1U);
    std::free(static_cast<std::byte*>(blocks[0].address) - 8);
}

} // namespace twofold::allocation::testing
