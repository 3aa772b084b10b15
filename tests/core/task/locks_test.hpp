// A test with threads of the host and a domain of mutexes, which notes what it reports.
#pragma once

#include "tests/core/task/host_threads.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace twofold::task {

using Thread = HostThreads::Thread;

/// By then what is to happen has happened; and a moment that is over at once.
inline Nanos in_long() {
    return HostThreads::now() + Nanos{60'000'000'000};
}
inline Nanos in_short() {
    return HostThreads::now() + Nanos{1'000'000};
}

class Locks : public testing::Test {
protected:
    ~Locks() override { EXPECT_TRUE(m_running.empty()) << "what they use is gone"; }

    /// Threads that are to get into each other's way begin together.
    void start_together(u32 count, std::function<void(u32 index)> const& body) {
        auto const ready = std::make_shared<Atomic<u32>>(0);
        for (u32 index = 0; index < count; ++index) {
            start([=] {
                ready->fetch_add(1, acquire_release);
                until([&] { return ready->load(acquire) == count; });
                body(index);
            });
        }
    }
    Thread& start(std::function<void()> body, int strength = 0) {
        Thread& thread = m_threads.emplace_back(static_cast<u32>(m_threads.size()), strength);
        m_running.emplace_back([&thread, body = std::move(body)] {
            HostThreads::As const as(thread);
            body();
        });
        return thread;
    }
    void join() {
        for (std::thread& each : m_running) {
            each.join();
        }
        m_running.clear();
    }
    /// Until `holds()`: what it looks at is about to become so.
    template<class Holds>
    static void until(Holds const& holds) {
        while (!holds()) {
            std::this_thread::yield();
        }
    }
    /// Until `thread` has gone to sleep `times` times.
    static void until_parked(Thread const& thread, u32 times = 1) {
        until([&] { return thread.parks.load(acquire) >= times; });
    }

    HostThreads threads;
    sync::LockOrder order;
    std::string reported;
    LockDomain<HostThreads> domain{
        threads, &order,
        [](void* self, std::string_view text) { static_cast<Locks*>(self)->reported += text; },
        this};

private:
    std::deque<Thread> m_threads;
    std::vector<std::thread> m_running;
};

} // namespace twofold::task
