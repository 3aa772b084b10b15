// What threads sleep for, on the kernel's own threads, on as many processors as there are: nobody
// is forgotten, mutexes keep apart, and strength is lent.
#include "core/boot/boot.hpp"
#include "core/task/task.hpp"
#include "tests/support/test.hpp"

namespace twofold::task {
namespace {

/// Everything that the threads of a test share.
struct Scene {
    static constexpr u32 workers_max = 4;

    Threads& kernel_threads = *Threads::here();
    KernelThreads& threads = kernel_threads.waiting();
    Mutex<KernelThreads> mutex{kernel_threads.locks(), "scene"};
    Semaphore<KernelThreads> semaphore{threads, 0};
    Condition<KernelThreads> has_items{threads};
    Condition<KernelThreads> has_room{threads};
    WaitTable<KernelThreads, 4> table{threads};
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
    while (!Classes::stronger(scene.kernel_threads.locks().effective(self), own)) {
        scene.kernel_threads.yield(); // until it waits
    }
    EXPECT_FALSE(Classes::stronger(strong, self.parameters()));
    scene.mutex.unlock();
    EXPECT_FALSE(Classes::stronger(self.parameters(), own));
    scene.join_all();
    EXPECT_EQ(scene.count, 1u);
}

TEST(TaskLocks, InheritanceLeadsThroughTwoMutexesAndThroughTheClasses) {
    Scene scene;
    Mutex<KernelThreads> second(scene.kernel_threads.locks(), "second");
    struct Chain {
        Scene& scene;
        Mutex<KernelThreads>& second;
        Atomic<u32> has_second{0};
    } chain{scene, second};
    Thread& self = Threads::current();
    scene.mutex.lock();
    ThreadAttributes attributes;
    Thread& middle = *scene.kernel_threads
                          .spawn(
                              attributes,
                              [](void* argument) {
                                  auto& it = *static_cast<Chain*>(argument);
                                  MutexGuard const outer(it.second);
                                  it.has_second.store(1, release);
                                  MutexGuard const inner(it.scene.mutex);
                              },
                              &chain)
                          .value();
    while (chain.has_second.load(acquire) == 0) {
        scene.kernel_threads.yield();
    }
    attributes.parameters =
        Parameters::of<sched::Edf>({.runtime = Nanos{1'000'000}, .period = Nanos{100'000'000}});
    Thread& urgent = *scene.kernel_threads
                          .spawn(
                              attributes,
                              [](void* argument) {
                                  MutexGuard const guard(static_cast<Chain*>(argument)->second);
                              },
                              &chain)
                          .value();
    while (!scene.kernel_threads.locks().effective(self).is<sched::Edf>()) {
        scene.kernel_threads.yield(); // until both wait
    }
    EXPECT_TRUE(middle.parameters().is<sched::Edf>());
    EXPECT_TRUE(self.parameters().get<sched::Edf>().is_lent);
    EXPECT_TRUE(self.own_parameters().is<sched::Eevdf>());
    auto const asked = Parameters::of<sched::Edf>({});
    EXPECT_EQ(scene.kernel_threads.change(self, asked).error(), Error::invalid_state);
    scene.mutex.unlock();
    EXPECT_TRUE(self.parameters().is<sched::Eevdf>());
    EXPECT_TRUE(scene.kernel_threads.join(middle).has_value());
    EXPECT_TRUE(scene.kernel_threads.join(urgent).has_value());
}

} // namespace twofold::task
