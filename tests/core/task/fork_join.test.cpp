// Fork and join in a kernel: results are those of the serial program, on one processor and on many.
#include "core/task/fork_join.hpp"

#include "core/boot/boot.hpp"
#include "core/task/task.hpp"
#include "tests/support/fibonacci.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using task::ForkJoin;
using task::Thread;
using task::Threads;
using test::Fibonacci;

namespace {

Threads& all_threads() {
    Threads* const found = boot::current_kernel().threads;
    CHECK(found != nullptr);
    return *found;
}

u32 processors() {
    return all_threads().dispatcher().known().size();
}

/// A pool for one test. When it is over as many threads live as before.
class OpenPool {
public:
    explicit OpenPool(task::ForkJoinAttributes const& attributes = {})
        : m_before(all_threads().count()), m_pool(all_threads(), *boot::current_kernel().heap) {
        m_pool.open(attributes).value();
    }
    ~OpenPool() {
        m_pool.close();
        EXPECT_EQ(all_threads().count(), m_before);
    }
    OpenPool(OpenPool const&) = delete;
    OpenPool& operator=(OpenPool const&) = delete;

    ForkJoin& operator*() { return m_pool; }
    ForkJoin* operator->() { return &m_pool; }

    u64 sum(Atomic<u64> task::WorkCounts::* count) const {
        u64 all = 0;
        for (ForkJoin::Worker const& worker : m_pool.workers()) {
            all += (worker.counts().*count).load(relaxed);
        }
        return all;
    }

private:
    u64 m_before;
    ForkJoin m_pool;
};

u64 serial_fibonacci(u32 n) {
    return n < 2 ? n : serial_fibonacci(n - 1) + serial_fibonacci(n - 2);
}

u64 fibonacci(ForkJoin& pool, u32 n) {
    Fibonacci root(n);
    pool.run(root);
    return root.result;
}

} // namespace

TEST(ForkJoin, AFibonacciNumberIsThatOfTheSerialProgram) {
    OpenPool pool;
    EXPECT_EQ(pool->workers().size(), processors());
    for (u32 n = 0; n <= 20; ++n) {
        EXPECT_EQ(fibonacci(*pool, n), serial_fibonacci(n));
    }
}

/// A sum over an array, halved until little is left.
TEST(ForkJoin, ASumIsThatOfTheSerialProgram) {
    static constexpr u32 count = 20'000;
    struct Sum : ForkJoin::Task {
        explicit Sum(std::span<u32 const> some) : Task(run), numbers(some) {}

        static void run(ForkJoin::Worker& worker, Task& task) {
            auto& self = static_cast<Sum&>(task);
            usize const half = self.numbers.size() / 2;
            if (half < 16) {
                for (u32 const number : self.numbers) {
                    self.result += number;
                }
                return;
            }
            Sum left(self.numbers.first(half));
            Sum right(self.numbers.subspan(half));
            worker.fork(left);
            worker.fork(right);
            worker.join(right);
            worker.join(left);
            self.result = left.result + right.result;
        }

        std::span<u32 const> numbers;
        u64 result = 0;
    };
    memory::Vector<u32, memory::KernelHeap> numbers(*boot::current_kernel().heap);
    u64 expected = 0;
    for (u32 index = 0; index < count; ++index) {
        ASSERT_TRUE(numbers.push(index * 2'654'435'761u).has_value());
        expected += numbers[index];
    }
    OpenPool pool;
    for (u32 round = 0; round < 10; ++round) {
        Sum root(numbers.items());
        pool->run(root);
        EXPECT_EQ(root.result, expected);
    }
}

/// Joined in the order in which they were forked, the others run earlier than they are joined.
TEST(ForkJoin, TheOrderOfJoiningIsFree) {
    OpenPool pool;
    for (u32 round = 0; round < 100; ++round) {
        Atomic<u32> runs{0};
        ForkJoin::Call root([&](ForkJoin::Worker& worker) {
            auto const once = [&](ForkJoin::Worker&) { runs.fetch_add(1, relaxed); };
            ForkJoin::Call first(once);
            ForkJoin::Call second(once);
            ForkJoin::Call third(once);
            worker.fork(first);
            worker.fork(second);
            worker.fork(third);
            worker.join(round % 2 == 0 ? first : second);
            worker.join(round % 2 == 0 ? second : first);
            worker.join(third);
        });
        pool->run(root);
        EXPECT_EQ(runs.load(relaxed), 3u);
    }
}

/// More than a deque holds: the rest runs where it is forked.
TEST(ForkJoin, WhatDoesNotFitRunsAtOnce) {
    task::ForkJoinAttributes attributes;
    attributes.stack = Bytes{u64{2} << 20};
    OpenPool pool(attributes);
    struct Countdown : ForkJoin::Task {
        explicit Countdown(u32 left, u32& count) : Task(run), more(left), runs(count) {}

        static void run(ForkJoin::Worker& worker, Task& task) {
            auto& self = static_cast<Countdown&>(task);
            if (self.more == 0) {
                return;
            }
            u32 below = 0;
            Countdown next(self.more - 1, below);
            auto const nothing = [](ForkJoin::Worker&) {};
            ForkJoin::Call other(nothing);
            worker.fork(other); // stays in the deque for as long as all below
            worker.fork(next);
            worker.join(next);
            worker.join(other);
            self.runs = below + 1;
        }

        u32 more;
        u32& runs;
    };
    constexpr u32 depth = 300;
    static_assert(depth > 256);
    u32 runs = 0;
    Countdown root(depth, runs);
    pool->run(root);
    EXPECT_EQ(runs, depth);
    if (processors() == 1) { // elsewhere thieves may make room
        EXPECT_GT(pool.sum(&task::WorkCounts::overflows), 0u);
        EXPECT_EQ(pool.sum(&task::WorkCounts::taken), 0u);
    }
}

/// One task waits until each other processor has taken one, forking and joining meanwhile.
TEST(ForkJoin, EachProcessorTakesItsPart) {
    static constexpr u32 others_max = 63;
    struct Meeting : ForkJoin::Task {
        Meeting() : Task(run) {}

        static void run(ForkJoin::Worker&, Task& task) {
            auto& self = static_cast<Meeting&>(task);
            self.where = hal::Cpu::id();
            self.is_present.store(1, release);
            while (self.may_go->load(acquire) == 0) {
                hal::Cpu::pause();
            }
        }

        CpuId where;
        Atomic<u32> is_present{0};
        Atomic<u32> const* may_go = nullptr;
    };
    u32 const others = processors() - 1;
    ASSERT_LE(others, others_max);
    OpenPool pool;
    for (u32 round = 0; round < 20; ++round) {
        u64 seen = 0;
        ForkJoin::Call root([&](ForkJoin::Worker& worker) {
            Atomic<u32> may_go{0};
            Meeting meetings[others_max];
            std::span const all(meetings, others);
            for (Meeting& meeting : all) {
                meeting.may_go = &may_go;
                worker.fork(meeting);
            }
            for (Meeting const& meeting : all) {
                while (meeting.is_present.load(acquire) == 0) {
                    ForkJoin::Call nothing([](ForkJoin::Worker&) {});
                    worker.fork(nothing);
                    worker.join(nothing);
                }
            }
            seen = u64{1} << hal::Cpu::id().value;
            may_go.store(1, release);
            for (Meeting& meeting : all) {
                worker.join(meeting);
                seen |= u64{1} << meeting.where.value;
            }
        });
        pool->run(root);
        EXPECT_EQ(seen, (u64{2} << others) - 1);
    }
    EXPECT_GE(pool.sum(&task::WorkCounts::taken), 20u * others);
}

TEST(ForkJoin, ManyThreadsHandInAtOnce) {
    constexpr u32 submitters = 6;
    constexpr u32 rounds = 30;
    OpenPool pool;
    Atomic<u32> right{0};
    auto const body = [&] {
        for (u32 round = 0; round < rounds; ++round) {
            u32 const n = 5 + round % 8;
            right.fetch_add(fibonacci(*pool, n) == serial_fibonacci(n) ? 1 : 0, relaxed);
        }
    };
    auto const entry = [](void* argument) { (*static_cast<decltype(body)*>(argument))(); };
    Thread* made[submitters];
    for (Thread*& thread : made) {
        auto const outcome =
            all_threads().spawn({}, entry, const_cast<void*>(static_cast<void const*>(&body)));
        ASSERT_TRUE(outcome.has_value());
        thread = outcome.value();
    }
    for (Thread* const thread : made) {
        ASSERT_TRUE(all_threads().join(*thread).has_value());
    }
    EXPECT_EQ(right.load(relaxed), submitters * rounds);
}

/// Nobody looks for work where there is none: all workers sleep.
TEST(ForkJoin, WorkersWithoutWorkSleep) {
    OpenPool pool;
    EXPECT_EQ(fibonacci(*pool, 10), 55u);
    for (u32 round = 0; round < 3; ++round) {
        u32 asleep = 0;
        Nanos const patience = hal::Clock::now() + Nanos{60'000'000'000};
        while (asleep < processors() && hal::Clock::now() < patience) {
            all_threads().yield();
            asleep = 0;
            all_threads().for_each([&](Thread const& thread) {
                bool const is_worker = thread.name().starts_with("worker-");
                asleep += is_worker && thread.state() == sched::TaskState::asleep ? 1 : 0;
            });
        }
        EXPECT_EQ(asleep, processors());
        EXPECT_EQ(fibonacci(*pool, 10), 55u); // and they are woken again
    }
    EXPECT_GE(pool.sum(&task::WorkCounts::rests), processors());
}

TEST(ForkJoin, APoolMayHaveSomeProcessorsAlone) {
    task::ForkJoinAttributes attributes;
    attributes.processors = sched::CpuMask::only(hal::Cpu::id());
    {
        OpenPool pool(attributes);
        EXPECT_EQ(pool->workers().size(), 1u);
        EXPECT_EQ(fibonacci(*pool, 15), 610u);
        EXPECT_EQ(pool->open().error(), Error::invalid_state);
    }
    ForkJoin none(all_threads(), *boot::current_kernel().heap);
    attributes.processors = sched::CpuMask::only({255});
    EXPECT_EQ(none.open(attributes).error(), Error::invalid_argument);
    attributes = {};
    attributes.stack = Bytes{4096};
    u64 const before = all_threads().count();
    EXPECT_EQ(none.open(attributes).error(), Error::out_of_range);
    EXPECT_EQ(all_threads().count(), before);
}
