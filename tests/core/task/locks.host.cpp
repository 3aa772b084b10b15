// What threads sleep for, on threads of the host: who is let in, in what order, with what strength,
// and that nobody is forgotten.
#include "tests/core/task/locks_test.hpp"

#include <deque>

namespace twofold::task {
namespace {

constexpr int turns = 3000;

/// So that others find held what the caller holds.
void yield_at_times(int turn) {
    if (turn % 8 == 0) {
        std::this_thread::yield();
    }
}

TEST_F(Locks, AMutexKeepsThreadsApart) {
    Mutex<HostThreads> mutex(domain, "counter");
    u64 count = 0;
    start_together(4, [&](u32) {
        for (int turn = 0; turn < turns; ++turn) {
            MutexGuard const guard(mutex);
            ++count;
            yield_at_times(turn);
        }
    });
    join();
    EXPECT_EQ(count, 4u * turns);
    EXPECT_FALSE(mutex.is_held());
    EXPECT_EQ(reported, "");
}

TEST_F(Locks, AMutexThatIsTakenMeanwhileIsNotWaitedForBeyondTheDeadline) {
    Mutex<HostThreads> mutex(domain, "held");
    Semaphore<HostThreads> over(threads, 0);
    Thread& holder = start([&] {
        MutexGuard const guard(mutex);
        over.acquire();
    });
    until_parked(holder);
    start([&] {
        EXPECT_FALSE(mutex.try_lock());
        EXPECT_FALSE(mutex.lock_until(in_short()));
        EXPECT_FALSE(mutex.lock_until(HostThreads::now() - Nanos{1}));
        EXPECT_TRUE(over.release().has_value());
        bool const came = mutex.lock_until(in_long());
        EXPECT_TRUE(came);
        if (came) {
            mutex.unlock();
        }
        bool const was_free = mutex.try_lock();
        EXPECT_TRUE(was_free);
        if (was_free) {
            mutex.unlock();
        }
    });
    join();
    EXPECT_FALSE(mutex.is_held());
}

TEST_F(Locks, WaitersWhoGiveUpAndWhoDoNotAllGetOn) {
    Mutex<HostThreads> mutex(domain, "busy");
    u64 taken = 0;
    Atomic<u64> given_up{0};
    start_together(4, [&](u32 index) {
        for (u32 turn = 0; turn < turns; ++turn) {
            if (mutex.lock_until(HostThreads::now() + Nanos{(turn + index) % 3 * 20'000})) {
                ++taken;
                if (turn % 4 == 0) {
                    std::this_thread::yield();
                }
                mutex.unlock();
            } else {
                given_up.fetch_add(1, relaxed);
            }
        }
    });
    join();
    EXPECT_EQ(taken + given_up.load(relaxed), 4u * turns);
    EXPECT_FALSE(mutex.is_held());
}

TEST_F(Locks, TheStrongestWaiterGetsTheMutex) {
    Mutex<HostThreads> mutex(domain, "wanted");
    Semaphore<HostThreads> over(threads, 0);
    std::vector<int> served;
    Thread& holder = start([&] {
        MutexGuard const guard(mutex);
        over.acquire();
    });
    until_parked(holder);
    for (int const strength : {1, 5, 3, 5}) {
        Thread& waiter = start(
            [&, strength] {
                MutexGuard const guard(mutex);
                served.push_back(strength);
            },
            strength);
        until_parked(waiter);
    }
    EXPECT_EQ(holder.runs_with.load(acquire), 5);
    start([&] { EXPECT_TRUE(over.release().has_value()); });
    join();
    EXPECT_EQ(served, (std::vector{5, 5, 3, 1}));
    EXPECT_EQ(holder.runs_with.load(acquire), 0); // what it was lent it has given back
}

TEST_F(Locks, StrengthIsLentAlongAChainAndGivenBack) {
    Mutex<HostThreads> first(domain, "first");
    Mutex<HostThreads> second(domain, "second");
    Mutex<HostThreads> third(domain, "third");
    Semaphore<HostThreads> over(threads, 0);
    Thread& low = start([&] {
        MutexGuard const guard(first);
        over.acquire();
    });
    until_parked(low);
    Thread& middle = start(
        [&] {
            MutexGuard const outer(second);
            MutexGuard const inner(first);
        },
        2);
    until_parked(middle);
    EXPECT_EQ(low.runs_with.load(acquire), 2);
    Thread& upper = start(
        [&] {
            MutexGuard const outer(third);
            MutexGuard const inner(second);
        },
        3);
    until_parked(upper);
    EXPECT_EQ(low.runs_with.load(acquire), 3);
    EXPECT_EQ(middle.runs_with.load(acquire), 3);
    Thread& impatient =
        start([&] { EXPECT_FALSE(third.lock_until(HostThreads::now() + Nanos{20'000'000})); }, 9);
    until_parked(impatient);
    until([&] { return low.runs_with.load(acquire) == 9 || low.runs_with.load(acquire) == 3; });
    until([&] { return low.runs_with.load(acquire) == 3; }); // who gave up lends no longer
    EXPECT_EQ(middle.runs_with.load(acquire), 3);
    EXPECT_EQ(upper.runs_with.load(acquire), 3);
    start([&] {
        upper.own = 7; // as `nice` does
        domain.own_parameters_changed(upper);
        EXPECT_EQ(domain.effective(low), 7);
        upper.own = 1;
        domain.own_parameters_changed(upper);
        EXPECT_EQ(domain.effective(low), 2);
        EXPECT_TRUE(over.release().has_value());
    });
    join();
    EXPECT_EQ(low.runs_with.load(acquire), 0);
    EXPECT_EQ(middle.runs_with.load(acquire), 2);
    EXPECT_EQ(reported, "");
}

TEST_F(Locks, AnInversionIsReportedThoughNobodyWaits) {
    Mutex<HostThreads> cache(domain, "cache");
    Mutex<HostThreads> journal(domain, "journal");
    start([&] {
        {
            MutexGuard const outer(cache);
            MutexGuard const inner(journal);
        }
        EXPECT_EQ(reported, "");
        MutexGuard const outer(journal);
        MutexGuard const inner(cache);
    });
    join();
    if (checks_enabled) {
        for (char const* const part :
             {"order that can deadlock", "thread 0 takes 'cache'", "while it holds 'journal'",
              "thread 0 takes 'journal'", "locks.host.cpp:"}) {
            EXPECT_NE(reported.find(part), std::string::npos) << reported;
        }
    }
}

TEST_F(Locks, ADeadlockThatHappensIsReportedByWhoClosesIt) {
    Mutex<HostThreads> left(domain, "left");
    Mutex<HostThreads> right(domain, "right");
    Semaphore<HostThreads> go(threads, 0);
    Thread& first = start([&] {
        MutexGuard const outer(left);
        go.acquire();
        bool const came = right.lock_until(in_long()); // once the other has given up
        EXPECT_TRUE(came);
        if (came) {
            right.unlock();
        }
    });
    until_parked(first);
    start([&] {
        MutexGuard const outer(right);
        EXPECT_TRUE(go.release().has_value());
        until_parked(first, 2);
        EXPECT_FALSE(left.lock_until(in_short()));
    });
    join();
    if (checks_enabled) {
        for (char const* const part :
             {"threads wait for each other", "thread 0 waits for 'right'", "which thread 1 holds",
              "thread 1 waits for 'left'"}) {
            EXPECT_NE(reported.find(part), std::string::npos) << reported;
        }
    }
}

TEST_F(Locks, ASemaphoreLetsAsManyInAsItHas) {
    Semaphore<HostThreads> semaphore(threads, 2);
    Atomic<u32> inside{0};
    Atomic<u32> most{0};
    start_together(4, [&](u32) {
        for (int turn = 0; turn < turns; ++turn) {
            semaphore.acquire();
            u32 const now = inside.fetch_add(1, acquire_release) + 1;
            u32 seen = most.load(relaxed);
            while (seen < now && !most.compare_exchange(seen, now, relaxed, relaxed)) {
            }
            std::this_thread::yield();
            inside.fetch_sub(1, acquire_release);
            EXPECT_TRUE(semaphore.release().has_value());
        }
    });
    join();
    EXPECT_EQ(most.load(relaxed), 2u);
    start([&] {
        EXPECT_EQ(semaphore.count(), 2u);
        EXPECT_TRUE(semaphore.try_acquire());
        EXPECT_TRUE(semaphore.acquire_until(in_short()));
        EXPECT_FALSE(semaphore.try_acquire());
        EXPECT_FALSE(semaphore.acquire_until(in_short()));
        EXPECT_TRUE(semaphore.release(2).has_value());
        EXPECT_EQ(
            semaphore.release(Semaphore<HostThreads>::count_max).error(), Error::out_of_range);
        EXPECT_EQ(semaphore.count(), 2u);
    });
    join();
}

TEST_F(Locks, ASemaphoreGivesToAllWhoWaitAndKeepsTheRest) {
    Semaphore<HostThreads> semaphore(threads, 0);
    for (int index = 0; index < 3; ++index) {
        until_parked(start([&] { semaphore.acquire(); }));
    }
    start([&] {
        EXPECT_TRUE(semaphore.release(0).has_value());
        EXPECT_EQ(
            semaphore.release(Semaphore<HostThreads>::count_max + 1).error(), Error::out_of_range);
        EXPECT_TRUE(semaphore.release(5).has_value());
    });
    join();
    start([&] { EXPECT_EQ(semaphore.count(), 2u); });
    join();
}

/// A ring of a few places between threads that put and threads that take.
TEST_F(Locks, NoNotificationOfAConditionIsLost) {
    Mutex<HostThreads> mutex(domain, "ring");
    Condition<HostThreads> has_room(threads);
    Condition<HostThreads> has_items(threads);
    constexpr usize places = 3;
    std::deque<int> ring;
    u64 sum = 0;
    for (int index = 0; index < 2; ++index) {
        start([&] {
            for (int turn = 1; turn <= turns; ++turn) {
                MutexGuard const guard(mutex);
                while (ring.size() == places) {
                    has_room.wait(mutex);
                }
                ring.push_back(turn);
                has_items.notify_one();
            }
        });
        start([&] {
            for (int turn = 1; turn <= turns; ++turn) {
                MutexGuard const guard(mutex);
                while (ring.empty()) {
                    has_items.wait(mutex);
                }
                sum += static_cast<u64>(ring.front());
                ring.pop_front();
                has_room.notify_one();
            }
        });
    }
    join();
    EXPECT_EQ(sum, u64{turns} * (turns + 1));
    start([&] {
        MutexGuard const guard(mutex);
        EXPECT_FALSE(has_items.wait_until(mutex, in_short()));
        EXPECT_TRUE(mutex.is_held());
        has_items.notify_all(); // nobody waits: nothing is kept
        EXPECT_FALSE(has_items.wait_until(mutex, in_short()));
    });
    join();
}

TEST_F(Locks, ReadersShareAndWritersDoNot) {
    SharedLock<HostThreads> lock(threads);
    u64 first = 0;
    u64 second = 0;
    Atomic<u64> torn{0};
    for (int index = 0; index < 2; ++index) {
        start([&] {
            for (int turn = 0; turn < turns; ++turn) {
                lock.lock();
                ++first;
                ++second;
                lock.unlock();
            }
        });
        start([&] {
            for (int turn = 0; turn < turns; ++turn) {
                lock.lock_shared();
                torn.fetch_add(first == second ? 0 : 1, relaxed);
                lock.unlock_shared();
            }
        });
    }
    join();
    EXPECT_EQ(first, 2u * turns);
    EXPECT_EQ(torn.load(relaxed), 0u);
}

TEST_F(Locks, AReaderWaitsBehindAWriterThatWaits) {
    SharedLock<HostThreads> lock(threads);
    Semaphore<HostThreads> over(threads, 0);
    std::mutex order_mutex;
    std::string seen;
    auto const note = [&](char who) {
        std::scoped_lock const guard(order_mutex);
        seen += who;
    };
    Thread& reader = start([&] {
        lock.lock_shared();
        over.acquire();
        note('r');
        lock.unlock_shared();
    });
    until_parked(reader);
    Thread& impatient = start([&] { EXPECT_FALSE(lock.lock_until(in_short())); });
    until_parked(impatient);
    Thread& writer = start([&] {
        lock.lock();
        note('w');
        lock.unlock();
    });
    until_parked(writer);
    Thread& late = start([&] {
        lock.lock_shared();
        note('l');
        lock.unlock_shared();
    });
    until_parked(late);
    start([&] { EXPECT_TRUE(over.release().has_value()); });
    join();
    EXPECT_EQ(seen, "rwl");
}

TEST_F(Locks, AWriterThatGivesUpLetsTheReadersBehindItIn) {
    SharedLock<HostThreads> lock(threads);
    Semaphore<HostThreads> over(threads, 0);
    Thread& reader = start([&] {
        lock.lock_shared();
        over.acquire();
        lock.unlock_shared();
    });
    until_parked(reader);
    Thread& writer =
        start([&] { EXPECT_FALSE(lock.lock_until(HostThreads::now() + Nanos{20'000'000})); });
    until_parked(writer);
    start([&] {
        EXPECT_TRUE(lock.lock_shared_until(in_long())); // the first one still reads
        lock.unlock_shared();
        EXPECT_TRUE(over.release().has_value());
    });
    join();
}

TEST_F(Locks, AWriterThatLeavesLetsInAllReadersUpToTheNextWriter) {
    SharedLock<HostThreads> lock(threads);
    Semaphore<HostThreads> over(threads, 0);
    Atomic<u32> readers{0};
    Thread& writer = start([&] {
        lock.lock();
        over.acquire();
        lock.unlock();
    });
    until_parked(writer);
    auto const read = [&] {
        lock.lock_shared();
        readers.fetch_add(1, relaxed);
        over.acquire(); // they are inside at the same time
        lock.unlock_shared();
    };
    until_parked(start(read));
    until_parked(start(read));
    Thread& second = start([&] {
        lock.lock();
        EXPECT_EQ(readers.load(relaxed), 2u);
        lock.unlock();
    });
    until_parked(second);
    until_parked(start([&] {
        lock.lock_shared();
        EXPECT_EQ(readers.fetch_add(1, relaxed), 2u);
        lock.unlock_shared();
    }));
    start([&] {
        EXPECT_TRUE(over.release().has_value()); // the writer's
        while (readers.load(relaxed) < 2) {
            std::this_thread::yield();
        }
        EXPECT_TRUE(over.release(2).has_value());
    });
    join();
    EXPECT_EQ(readers.load(relaxed), 3u);
}

TEST_F(Locks, AnEventLetsAllGoOnUntilItIsReset) {
    Event<HostThreads> event(threads);
    Atomic<u32> through{0};
    std::vector<Thread*> waiting;
    for (int index = 0; index < 3; ++index) {
        waiting.push_back(&start([&] {
            event.wait();
            through.fetch_add(1, relaxed);
        }));
    }
    for (Thread const* const each : waiting) {
        until_parked(*each);
    }
    EXPECT_EQ(through.load(relaxed), 0u);
    start([&] {
        EXPECT_FALSE(event.wait_until(in_short()));
        event.set();
        event.wait();
        EXPECT_TRUE(event.wait_until(in_short()));
        event.reset();
        EXPECT_FALSE(event.wait_until(in_short()));
    });
    join();
    EXPECT_EQ(through.load(relaxed), 3u);
}

TEST_F(Locks, WhoWaitsForAWordIsWokenByItsAddress) {
    WaitTable<HostThreads, 1> table(threads); // all words in one list
    Atomic<u32> word{0};
    Atomic<u32> other{0};
    Thread& waiter = start([&] { EXPECT_EQ(table.wait(word, 0), WordWait::woken); });
    Thread& stranger = start([&] { EXPECT_EQ(table.wait(other, 0), WordWait::woken); });
    until_parked(waiter);
    until_parked(stranger);
    start([&] {
        EXPECT_EQ(table.wait(word, 1), WordWait::changed);
        EXPECT_EQ(table.wait(word, 0, in_short()), WordWait::timed_out);
        EXPECT_EQ(table.wake(word, 5), 1u);
        EXPECT_EQ(table.wake(word, 5), 0u);
        EXPECT_EQ(table.wake(other, 5), 1u);
    });
    join();
}

/// A mutex of three states over a word (U. Drepper, "Futexes are tricky", 2011, section 5).
TEST_F(Locks, NoWakeUpOfAWordIsLost) {
    WaitTable<HostThreads> table(threads);
    Atomic<u32> word{0};
    u64 count = 0;
    start_together(4, [&](u32) {
        for (int turn = 0; turn < turns; ++turn) {
            u32 seen = 0;
            if (!word.compare_exchange(seen, 1, acquire, relaxed)) {
                while (word.exchange(2, acquire) != 0) {
                    static_cast<void>(table.wait(word, 2));
                }
            }
            ++count;
            yield_at_times(turn);
            if (word.exchange(0, release) == 2) {
                table.wake(word, 1);
            }
        }
    });
    join();
    EXPECT_EQ(count, 4u * turns);
}

} // namespace
} // namespace twofold::task
