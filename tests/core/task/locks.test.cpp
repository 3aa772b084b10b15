// What threads sleep for, on the kernel's own threads, on as many processors as there are: nobody
// is forgotten, mutexes keep apart, and strength is lent.
#include "core/boot/boot.hpp"
#include "core/task/sync/waits.hpp"
#include "core/task/task.hpp"
#include "tests/support/test.hpp"

namespace twofold::task {
namespace {

/// The kernel's threads, with what the locks keep in each in a table of the test.
class TestThreads {
public:
    using Thread = task::Thread;
    using Parameters = task::Parameters;
    static constexpr usize threads_max = 8;

    explicit TestThreads(Threads& threads) : m_threads(threads) {}

    Thread& current() { return Threads::current(); }
    void park() { m_threads.park(); }
    bool park_until(Nanos deadline) { return m_threads.park_until(deadline); }
    void unpark(Thread& thread) { m_threads.unpark(thread); }
    Parameters own_parameters(Thread& thread) { return entry(thread).own; }
    static bool stronger(Parameters const& left, Parameters const& right) {
        return Classes::stronger(left, right);
    }
    void lend(Thread& thread, std::optional<Parameters> const& lent) {
        Entry const& own = entry(thread);
        m_threads.change(thread, lent ? *lent : own.own).value(); // none of these is refused
    }
    LockState<TestThreads>& lock_state(Thread& thread) { return entry(thread).state; }
    std::string_view name(Thread& thread) { return thread.name(); }

private:
    struct Entry {
        Atomic<Thread*> thread{nullptr};
        Parameters own = default_parameters();
        LockState<TestThreads> state;
    };

    /// Found, or made by the first who looks.
    Entry& entry(Thread& thread) {
        for (Entry& each : m_entries) {
            Thread* known = each.thread.load(acquire);
            if (known == nullptr) {
                sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
                known = each.thread.load(acquire);
                if (known == nullptr) {
                    each.own = thread.parameters();
                    each.thread.store(&thread, release);
                    known = &thread;
                }
            }
            if (known == &thread) {
                return each;
            }
        }
        UNREACHABLE(); // no test has more threads
    }

    Threads& m_threads;
    sync::SpinLock m_lock{sync::LockRank::innermost};
    Entry m_entries[threads_max];
};
static_assert(ThreadSystem<TestThreads>);

/// Everything that the threads of a test share.
struct Scene {
    static constexpr u32 workers_max = 4;

    Threads& kernel_threads = *Threads::here();
    TestThreads threads{kernel_threads};
    LockDomain<TestThreads> domain{
        threads, nullptr, [](void*, std::string_view) { CHECK(false); }, nullptr};
    Mutex<TestThreads> mutex{domain, "scene"};
    Semaphore<TestThreads> semaphore{threads, 0};
    Condition<TestThreads> has_items{threads};
    Condition<TestThreads> has_room{threads};
    WaitTable<TestThreads, 4> table{threads};
    Atomic<u32> word{0};
    u64 count = 0;
    u64 items = 0;
    u64 sum = 0;
    Thread* workers[workers_max] = {};
    u32 started = 0;

    void start(void (*body)(void*), Parameters const& parameters = default_parameters()) {
        ThreadAttributes attributes;
        attributes.name = "worker";
        attributes.parameters = parameters;
        workers[started++] = kernel_threads.spawn(attributes, body, this).value();
    }
    void join_all() {
        for (u32 index = 0; index < started; ++index) {
            kernel_threads.join(*workers[index]).value();
        }
        started = 0;
    }
};

constexpr u32 turns = 300;

} // namespace

TEST(TaskLocks, AMutexKeepsThreadsApart) {
    Scene scene;
    for (u32 index = 0; index < Scene::workers_max; ++index) {
        scene.start([](void* argument) {
            auto& it = *static_cast<Scene*>(argument);
            for (u32 turn = 0; turn < turns; ++turn) {
                MutexGuard const guard(it.mutex);
                u64 const seen = it.count;
                if (turn % 4 == 0) {
                    it.kernel_threads.yield(); // others find it held
                }
                it.count = seen + 1;
            }
        });
    }
    scene.join_all();
    EXPECT_EQ(scene.count, u64{turns} * Scene::workers_max);
    EXPECT_FALSE(scene.mutex.is_held());
}

TEST(TaskLocks, NoNotificationOfAConditionIsLost) {
    Scene scene;
    for (u32 index = 0; index < 2; ++index) {
        scene.start([](void* argument) {
            auto& it = *static_cast<Scene*>(argument);
            for (u32 turn = 0; turn < turns; ++turn) {
                MutexGuard const guard(it.mutex);
                while (it.items == 3) {
                    it.has_room.wait(it.mutex);
                }
                ++it.items;
                it.has_items.notify_one();
            }
        });
        scene.start([](void* argument) {
            auto& it = *static_cast<Scene*>(argument);
            for (u32 turn = 0; turn < turns; ++turn) {
                MutexGuard const guard(it.mutex);
                while (it.items == 0) {
                    it.has_items.wait(it.mutex);
                }
                --it.items;
                ++it.sum;
                it.has_room.notify_one();
            }
        });
    }
    scene.join_all();
    EXPECT_EQ(scene.sum, 2u * turns);
}

TEST(TaskLocks, NoWakeUpOfAWordIsLost) {
    Scene scene;
    for (u32 index = 0; index < Scene::workers_max; ++index) {
        scene.start([](void* argument) { // U. Drepper, "Futexes are tricky", section 5
            auto& it = *static_cast<Scene*>(argument);
            for (u32 turn = 0; turn < turns; ++turn) {
                u32 seen = 0;
                if (!it.word.compare_exchange(seen, 1, acquire, relaxed)) {
                    while (it.word.exchange(2, acquire) != 0) {
                        static_cast<void>(it.table.wait(it.word, 2));
                    }
                }
                ++it.count;
                if (turn % 4 == 0) {
                    it.kernel_threads.yield();
                }
                if (it.word.exchange(0, release) == 2) {
                    it.table.wake(it.word, 1);
                }
            }
        });
    }
    scene.join_all();
    EXPECT_EQ(scene.count, u64{turns} * Scene::workers_max);
}

TEST(TaskLocks, WhatDoesNotComeIsNotWaitedForBeyondTheDeadline) {
    Scene scene;
    Nanos const deadline = hal::Clock::now() + Nanos{2'000'000};
    EXPECT_FALSE(scene.semaphore.acquire_until(deadline));
    EXPECT_GE(hal::Clock::now(), deadline);
    EXPECT_TRUE(scene.semaphore.release().has_value());
    EXPECT_TRUE(scene.semaphore.acquire_until(deadline)); // over, but there is one
    EXPECT_EQ(scene.table.wait(scene.word, 0, deadline), WordWait::timed_out);
    EXPECT_EQ(scene.table.wait(scene.word, 1, deadline), WordWait::changed);
}

TEST(TaskLocks, TheHolderRunsWithWhatTheStrongestWaiterHas) {
    Scene scene;
    Parameters const strong = Parameters::of<sched::Fifo>({.priority = 10});
    Thread& self = Threads::current();
    Parameters const own = self.parameters();
    scene.mutex.lock();
    scene.start(
        [](void* argument) {
            auto& it = *static_cast<Scene*>(argument);
            MutexGuard const guard(it.mutex);
            ++it.count;
        },
        strong);
    while (!Classes::stronger(self.parameters(), own)) {
        scene.kernel_threads.yield(); // until it waits
    }
    EXPECT_FALSE(Classes::stronger(strong, self.parameters()));
    scene.mutex.unlock();
    EXPECT_FALSE(Classes::stronger(self.parameters(), own));
    scene.join_all();
    EXPECT_EQ(scene.count, 1u);
}

} // namespace twofold::task
