// The lazily filled pool: slots, handles, misuse, pages that come and go, failures, and a model.
#include "tests/core/memory/pools/support.hpp"

#include <array>
#include <optional>

namespace twofold::memory::testing {
namespace {

using namespace twofold::literals;

/// Counts what lives, and knows its own place.
struct Counted {
    explicit Counted(u64 number, u64& live) : self(this), value(number), count(live) { ++count; }
    ~Counted() {
        CHECK(self == this);
        --count;
    }
    Counted(Counted const&) = delete;
    Counted& operator=(Counted const&) = delete;

    Counted* self;
    u64 value;
    u64& count;
    u64 rest[4]{};
};
using Pool = LazyPool<Counted, FailingWindow>;
constexpr u64 per_chunk = 4096 / sizeof(Counted);

/// A pool in a window of its own, which must be empty at the end.
struct PoolUnderTest {
    explicit PoolUnderTest(u64 capacity)
        : window(Pool::range_for(capacity)), pool(*Pool::create(window, capacity).value()) {}
    ~PoolUnderTest() {
        EXPECT_TRUE(pool.verify().has_value());
        EXPECT_TRUE(Pool::close(pool).has_value());
        EXPECT_EQ(live, 0u);
    }

    NothingIsLost lost;
    FailingWindow window;
    Pool& pool;
    u64 live = 0;
};

std::byte* bytes_of(void* object) {
    return static_cast<std::byte*>(object);
}

TEST(LazyPool, MakesAndEndsObjects) {
    PoolUnderTest test(100);
    Counted* const first = test.pool.make(u64{1}, test.live).value();
    Counted* const second = test.pool.make(u64{2}, test.live).value();
    EXPECT_EQ(test.live, 2u);
    EXPECT_NE(first, second);
    EXPECT_EQ(first->value, 1u);
    PoolHandle const handle = test.pool.handle_of(first).value();
    EXPECT_EQ(test.pool.find(handle).value(), first);
    EXPECT_TRUE(test.pool.destroy(first).has_value());
    EXPECT_EQ(test.live, 1u);
    EXPECT_EQ(test.pool.find(handle).error(), Error::invalid_state);
    // The slot is used again; the old handle still names nothing.
    Counted* const third = test.pool.make(u64{3}, test.live).value();
    EXPECT_EQ(third, first);
    EXPECT_EQ(test.pool.find(handle).error(), Error::invalid_state);
    EXPECT_EQ(test.pool.destroy(handle).error(), Error::invalid_state);
    EXPECT_EQ(test.pool.handle_of(third).value().slot, handle.slot);
    EXPECT_TRUE(test.pool.destroy(test.pool.handle_of(third).value()).has_value());
    EXPECT_TRUE(test.pool.destroy(second).has_value());
    PoolStatistics const seen = test.pool.statistics();
    EXPECT_EQ(seen.made_ever, 3u);
    EXPECT_EQ(seen.live_max, 2u);
    EXPECT_EQ(seen.live, 0u);
    EXPECT_EQ(seen.misuses, 3u);
}

TEST(LazyPool, RefusesWhatItDidNotMake) {
    PoolUnderTest test(3 * per_chunk);
    Counted* const object = test.pool.make(u64{1}, test.live).value();
    u64 elsewhere = 0;
    Counted outside(u64{0}, elsewhere);
    EXPECT_EQ(test.pool.destroy(&outside).error(), Error::out_of_range);
    EXPECT_EQ(test.pool.destroy(static_cast<Counted*>(nullptr)).error(), Error::out_of_range);
    auto const at = [&](i64 offset) { return room_for<Counted>(bytes_of(object) + offset); };
    for (i64 const inside : {i64{1}, i64{8}, i64{16}, i64{63}}) {
        EXPECT_EQ(test.pool.destroy(at(inside)).error(), Error::invalid_argument);
    }
    // The waste at the end of a chunk is no slot.
    constexpr i64 slot = Pool::slot_size.value;
    EXPECT_EQ(test.pool.destroy(at(slot * per_chunk)).error(), Error::invalid_argument);
    EXPECT_EQ(test.pool.destroy(at(slot)).error(), Error::invalid_state); // never made
    EXPECT_EQ(test.pool.destroy(at(4096)).error(), Error::invalid_state); // no page there yet
    EXPECT_EQ(test.pool.destroy(at(-8)).error(), Error::out_of_range);
    EXPECT_EQ(test.pool.destroy(PoolHandle{}).error(), Error::out_of_range);
    EXPECT_EQ(test.pool.find({0, 7}).error(), Error::invalid_state);
    EXPECT_EQ(test.pool.find({static_cast<u32>(per_chunk), 1}).error(), Error::invalid_state);
    EXPECT_EQ(Pool::close(test.pool).error(), Error::busy);
    EXPECT_TRUE(test.pool.destroy(object).has_value());
    EXPECT_EQ(test.pool.destroy(object).error(), Error::invalid_state);
    EXPECT_EQ(test.pool.handle_of(object).error(), Error::invalid_state);
    EXPECT_EQ(test.pool.statistics().misuses, 15u);
}

TEST(LazyPool, RefusesToBeWhatCannotBe) {
    NothingIsLost const lost;
    FailingWindow window(64_KiB);
    EXPECT_EQ(Pool::create(window, 0).error(), Error::invalid_argument);
    EXPECT_EQ(Pool::create(window, Pool::capacity_max + 1).error(), Error::invalid_argument);
    EXPECT_EQ(Pool::create(window, ~u64{0}).error(), Error::invalid_argument);
    EXPECT_EQ(Pool::create(window, 1'000'000).error(), Error::no_space);
    window.fail_at(1);
    EXPECT_EQ(Pool::create(window, 10).error(), Error::out_of_memory);
    auto const request = [](Bytes size, unsigned level) {
        return PoolWindow::create(kernel_space(), {.size = size, .level = level, .name = "none"})
            .error();
    };
    EXPECT_EQ(request(0_B, 0), Error::invalid_argument);
    EXPECT_EQ(request(4_KiB, 9), Error::invalid_argument);
    EXPECT_EQ(request({~u64{0}}, 0), Error::no_space);
    EXPECT_EQ(request(hal::Layout::current().views.size, 1), Error::no_space);
}

TEST(LazyPool, TakesPagesWhenTheyAreNeededAndGivesThemBack) {
    PoolUnderTest test(10 * per_chunk);
    std::array<Counted*, 10 * per_chunk> objects{};
    u64 const empty = frames_in_use();
    for (u64 i = 0; i < objects.size(); ++i) {
        objects[i] = test.pool.make(i, test.live).value();
        ASSERT_EQ(test.pool.statistics().chunks, i / per_chunk + 1);
    }
    EXPECT_EQ(test.pool.make(u64{0}, test.live).error(), Error::no_space);
    EXPECT_EQ(test.pool.statistics().refused, 1u);
    u64 number = 0;
    test.pool.for_each([&](Counted const& object) { number += object.value; });
    EXPECT_EQ(number, (objects.size() - 1) * objects.size() / 2);
    EXPECT_TRUE(test.pool.verify().has_value());
    u64 const full = frames_in_use();
    EXPECT_GE(full - empty, 10u);
    // All but one of each chunk: nothing goes back.
    for (u64 i = 0; i < objects.size(); ++i) {
        if (i % per_chunk != 0) {
            ASSERT_TRUE(test.pool.destroy(objects[i]).has_value());
        }
    }
    EXPECT_EQ(frames_in_use(), full);
    EXPECT_TRUE(test.pool.verify().has_value());
    for (u64 i = 0; i < objects.size(); i += per_chunk) {
        ASSERT_TRUE(test.pool.destroy(objects[i]).has_value());
    }
    EXPECT_EQ(test.pool.statistics().chunks, 1u); // one is kept
    EXPECT_EQ(frames_in_use(), full - 9);
    EXPECT_TRUE(is_absent(try_read(bytes_of(objects[9 * per_chunk]))));
    test.pool.trim();
    EXPECT_EQ(test.pool.statistics().chunks, 0u);
    EXPECT_EQ(frames_in_use(), full - 10);
    EXPECT_TRUE(is_absent(try_read(bytes_of(objects[0]))));
    // And again, from what was given back.
    for (u64 i = 0; i < objects.size(); ++i) {
        objects[i] = test.pool.make(i, test.live).value();
    }
    EXPECT_EQ(frames_in_use(), full);
    for (Counted* const object : objects) {
        ASSERT_TRUE(test.pool.destroy(object).has_value());
    }
}

TEST(LazyPool, AnOverflowByOneSlotReachesNoRecord) {
    PoolUnderTest test(2 * per_chunk);
    std::array<Counted*, 2 * per_chunk> objects{};
    for (Counted*& object : objects) {
        object = test.pool.make(u64{0}, test.live).value();
    }
    constexpr i64 slot = Pool::slot_size.value;
    // Before the first slot is the gap, behind the last page the window's guard.
    for (i64 at = 1; at <= slot; ++at) {
        ASSERT_TRUE(is_absent(try_write(bytes_of(objects.front()) - at)));
    }
    std::byte* const end = bytes_of(objects[per_chunk]) + 4096;
    for (i64 at = 0; at < slot; ++at) {
        ASSERT_TRUE(is_absent(try_write(end + at)));
    }
    // The last slot of each chunk runs into the next slot or into what no slot uses; everything
    // that the pool keeps is as it was.
    Counted* const victim = objects[per_chunk - 1];
    std::byte* const behind = bytes_of(victim) + slot;
    std::array<std::byte, slot> saved{};
    u64 const room = 4096 - slot * per_chunk;
    std::ranges::copy(std::span(behind, slot), saved.begin());
    std::ranges::fill(std::span(behind, slot), std::byte{0xff});
    EXPECT_TRUE(test.pool.verify().has_value());
    EXPECT_EQ(test.pool.make(u64{0}, test.live).error(), Error::no_space);
    std::ranges::copy(saved, behind);
    EXPECT_LT(room, 4096u / 8);
    for (Counted* const object : objects) {
        ASSERT_TRUE(test.pool.destroy(object).has_value());
    }
}

Result<void> work(Pool& pool, u64& live) {
    std::array<Counted*, 3 * per_chunk> objects{};
    usize made = 0;
    Result<void> outcome{};
    for (; made < objects.size() && outcome; ++made) {
        auto const object = pool.make(u64{made}, live);
        outcome = object ? Result<void>() : Result<void>(object.error());
        if (!object) {
            break;
        }
        objects[made] = object.value();
    }
    EXPECT_EQ(live, made);
    EXPECT_TRUE(pool.verify().has_value());
    while (made > 0) {
        EXPECT_TRUE(pool.destroy(objects[--made]).has_value());
    }
    return outcome;
}

TEST(LazyPool, EveryCommitFailsOnceAndFromThenOn) {
    NothingIsLost const lost;
    u64 commits = 0;
    {
        FailingWindow window(Pool::range_for(3 * per_chunk));
        Pool& pool = *Pool::create(window, 3 * per_chunk).value();
        u64 live = 0;
        EXPECT_TRUE(work(pool, live).has_value());
        commits = window.commits();
        EXPECT_TRUE(Pool::close(pool).has_value());
    }
    EXPECT_GE(commits, 6u); // the header, two tables, three chunks
    for (u64 number = 1; number <= commits; ++number) {
        for (bool const for_good : {false, true}) {
            FailingWindow window(Pool::range_for(3 * per_chunk));
            for_good ? window.fail_from(number) : window.fail_at(number);
            auto const pool = Pool::create(window, 3 * per_chunk);
            if (!pool) {
                EXPECT_EQ(pool.error(), Error::out_of_memory);
                continue;
            }
            u64 live = 0;
            EXPECT_EQ(work(*pool.value(), live).error(), Error::out_of_memory);
            EXPECT_EQ(work(*pool.value(), live).has_value(), !for_good);
            EXPECT_EQ(live, 0u);
            EXPECT_TRUE(Pool::close(*pool.value()).has_value());
        }
    }
}

template<class T>
struct Shape {
    static void check() {
        NothingIsLost const lost;
        using Shaped = LazyPool<T, FailingWindow>;
        FailingWindow window(Shaped::range_for(70));
        Shaped& pool = *Shaped::create(window, 70).value();
        std::array<T*, 70> objects{};
        for (u64 i = 0; i < objects.size(); ++i) {
            objects[i] = pool.make().value();
            ASSERT_TRUE(is_aligned(heap::address_of(objects[i]), alignof(T)));
            std::ranges::fill(std::span(bytes_of(objects[i]), sizeof(T)), std::byte(i));
        }
        EXPECT_TRUE(pool.verify().has_value());
        u64 index = 0;
        pool.for_each([&](T& object) {
            for (std::byte const each : std::span(bytes_of(&object), sizeof(T))) {
                ASSERT_EQ(static_cast<u64>(each), index % 256);
            }
            ++index;
        });
        EXPECT_EQ(index, 70u);
        for (T* const object : objects) {
            ASSERT_TRUE(pool.destroy(object).has_value());
        }
        EXPECT_TRUE(Shaped::close(pool).has_value());
    }
};
struct Byte {
    u8 value;
};
struct alignas(256) Line {
    u8 value[300];
};
struct Odd {
    u64 value[187]; // 1,496 bytes: three pages hold eight
};
struct Large {
    u8 value[9000];
};

TEST(LazyPool, HoldsObjectsOfEverySizeAndAlignment) {
    Shape<Byte>::check();
    Shape<Line>::check();
    Shape<Odd>::check();
    Shape<Large>::check();
    EXPECT_EQ((LazyPool<Byte, FailingWindow>::slot_size), 8_B);
    EXPECT_EQ((LazyPool<Line, FailingWindow>::slot_size), 512_B);
}

TEST(LazyPool, ManyContextsMayUseOneThatIsLocked) {
    NothingIsLost const lost;
    using Locked = LazyPool<u64, FailingWindow, ManyContexts>;
    FailingWindow window(Locked::range_for(1000));
    Locked& pool = *Locked::create(window, 1000).value();
    u64* const number = pool.make(u64{42}).value();
    EXPECT_EQ(*number, 42u);
    EXPECT_EQ(pool.statistics().live, 1u);
    {
        // It takes its lock with interrupts off, and leaves them as they were.
        sync::InterruptGuard const off;
        u64* const second = pool.make(u64{43}).value();
        EXPECT_TRUE(hal::Interrupt::state() == hal::InterruptState::disabled);
        EXPECT_TRUE(pool.destroy(second).has_value());
    }
    EXPECT_TRUE(pool.destroy(number).has_value());
    EXPECT_EQ(pool.destroy(number).error(), Error::invalid_state);
    EXPECT_TRUE(Locked::close(pool).has_value());
}

/// An object that uses its pool while it ends: it is gone for everybody already, and its slot is
/// not free yet.
struct Nosy {
    using Owner = LazyPool<Nosy, FailingWindow>;
    Nosy(Owner& owner, Result<void>& answer, Nosy*& made)
        : pool(owner), outcome(answer), other(made) {}
    ~Nosy() {
        outcome = pool.destroy(this);
        if (other == nullptr) {
            other = pool.make(pool, outcome, other).value();
        }
    }
    Owner& pool;
    Result<void>& outcome;
    Nosy*& other;
};

TEST(LazyPool, ADestructorMayUseThePool) {
    NothingIsLost const lost;
    FailingWindow window(Nosy::Owner::range_for(10));
    auto& pool = *Nosy::Owner::create(window, 10).value();
    Result<void> outcome{};
    Nosy* other = nullptr;
    Nosy* const first = pool.make(pool, outcome, other).value();
    EXPECT_TRUE(pool.destroy(first).has_value());
    EXPECT_EQ(outcome.error(), Error::invalid_state);
    EXPECT_NE(first, other);
    EXPECT_EQ(pool.statistics().live, 1u);
    EXPECT_TRUE(pool.verify().has_value());
    EXPECT_TRUE(pool.destroy(other).has_value());
    EXPECT_TRUE(Nosy::Owner::close(pool).has_value());
}

/// Random operations beside a model: the objects that live, each with a value of its own.
TEST(LazyPool, AgreesWithAModel) {
    constexpr u64 capacity = 500;
    PoolUnderTest test(capacity);
    Random random(0x900d);
    std::array<Counted*, capacity> model{};
    std::array<PoolHandle, capacity> handles{};
    std::array<PoolHandle, 64> dead{};
    u64 count = 0;
    u64 next = 1;
    u64 ended = 0;
    bool filling = true;
    for (u64 step = 0; step < 30'000; ++step) {
        filling = count == 0 || (filling && count < capacity && random.below(1000) != 0) ||
                  random.below(1000) == 0;
        u64 const choice = random.below(16);
        if (choice < (filling ? 10u : 5u)) {
            auto const made = test.pool.make(next, test.live);
            ASSERT_EQ(made.has_value(), count < capacity);
            if (made) {
                model[count] = made.value();
                handles[count++] = test.pool.handle_of(made.value()).value();
                ++next;
            } else {
                ASSERT_EQ(made.error(), Error::no_space);
            }
        } else if (choice == 14 && ended > 0) {
            PoolHandle const old = dead[random.below(std::min<u64>(ended, dead.size()))];
            ASSERT_EQ(test.pool.find(old).error(), Error::invalid_state);
            ASSERT_EQ(test.pool.destroy(old).error(), Error::invalid_state);
        } else if (choice == 15 && random.below(8) == 0) {
            test.pool.trim();
        } else if (count > 0) {
            u64 const index = random.below(count);
            ASSERT_EQ(test.pool.find(handles[index]).value(), model[index]);
            ASSERT_TRUE(model[index]->value < next && model[index]->self == model[index]);
            bool const by_handle = random.below(2) == 0;
            ASSERT_TRUE(
                (by_handle ? test.pool.destroy(handles[index]) : test.pool.destroy(model[index]))
                    .has_value());
            dead[ended++ % dead.size()] = handles[index];
            model[index] = model[--count];
            handles[index] = handles[count];
        }
        ASSERT_EQ(test.live, count);
        if (step % 1024 == 0) {
            ASSERT_TRUE(test.pool.verify().has_value());
            u64 seen = 0;
            test.pool.for_each([&](Counted&) { ++seen; });
            ASSERT_EQ(seen, count);
        }
    }
    EXPECT_GT(ended, 5'000u);
    EXPECT_EQ(test.pool.statistics().live_max, capacity);
    while (count > 0) {
        ASSERT_TRUE(test.pool.destroy(model[--count]).has_value());
    }
}

} // namespace
} // namespace twofold::memory::testing
