// Threads of the host as the threads that the locks of core/task/sync are made for: each is a
// processor of its own, so all of them run at once. Strengths are numbers.
#pragma once

#include "core/task/sync/waits.hpp"
#include "tests/support/host_stack.hpp"
#include "tests/support/processor.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace twofold::task {

class HostThreads {
public:
    using Parameters = int;

    struct Thread {
        explicit Thread(u32 number, int own_strength = 0)
            : name("thread " + std::to_string(number)),
              own(own_strength),
              processor_number(number) {}

        memory::KernelStack const& stack() const { return own_stack; }

        std::string name;
        int own;
        u32 processor_number;
        memory::KernelStack own_stack{}; ///< once it runs
        LockState<HostThreads> locks;
        std::mutex mutex;
        std::condition_variable wakes;
        bool has_permit = false;
        Atomic<int> runs_with{0}; ///< what it was lent, else its own
        Atomic<u32> parks{0};
    };

    static constexpr u32 threads_max = 8;

    static Nanos now() { return {std::chrono::steady_clock::now().time_since_epoch().count()}; }

    Thread& current() { return *running; }
    void park() {
        Thread& self = current();
        std::unique_lock lock(self.mutex);
        self.parks.fetch_add(1, release);
        self.wakes.wait(lock, [&] { return self.has_permit; });
        self.has_permit = false;
    }
    bool park_until(Nanos deadline) {
        Thread& self = current();
        std::unique_lock lock(self.mutex);
        self.parks.fetch_add(1, release);
        std::chrono::steady_clock::time_point const end{std::chrono::nanoseconds(deadline.value)};
        bool const came = self.wakes.wait_until(lock, end, [&] { return self.has_permit; });
        self.has_permit = false;
        return came;
    }
    void unpark(Thread& thread) {
        {
            std::scoped_lock const lock(thread.mutex);
            thread.has_permit = true;
        }
        thread.wakes.notify_one();
    }
    int own_parameters(Thread& thread) { return thread.own; }
    static bool stronger(int const& left, int const& right) { return left > right; }
    void lend(Thread& thread, std::optional<int> const& lent) {
        thread.runs_with.store(lent ? *lent : thread.own, release);
    }
    LockState<HostThreads>& lock_state(Thread& thread) { return thread.locks; }
    std::string_view name(Thread& thread) { return thread.name; }

    /// The calling thread of the host is `thread` while this lives.
    class As {
    public:
        explicit As(Thread& thread) : m_processor(thread.processor_number, threads_max, nullptr) {
            thread.runs_with.store(thread.own, release);
            thread.own_stack = test::host_stack();
            running = &thread;
        }
        ~As() { running = nullptr; }
        As(As const&) = delete;
        As& operator=(As const&) = delete;

    private:
        test::Processor m_processor;
    };

private:
    static inline thread_local Thread* running = nullptr;
};
static_assert(ThreadSystem<HostThreads>);

} // namespace twofold::task
