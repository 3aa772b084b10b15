// Fork and join over the threads of a kernel: a pool with one worker on each of some processors.
// What forks are objects of the caller, so nothing allocates, and forking cannot fail.
//
//      struct Sum : ForkJoin::Task { ... };
//      ForkJoin::Call left([&](ForkJoin::Worker& worker) { ... });
//      worker.fork(left);
//      ...                     // meanwhile another worker may run it
//      worker.join(left);
//
// How it works stands in fork_join/work_pool.hpp and fork_join/work_deque.hpp.
#pragma once

#include "core/task/fork_join/work_pool.hpp"
#include "core/task/sync/waits.hpp"
#include "core/task/threads.hpp"

#include <optional>

namespace twofold::task {

/// What a pool is opened with.
struct ForkJoinAttributes {
    std::string_view name = "worker"; ///< at most 24 letters; a number follows
    Parameters parameters = default_parameters();
    sched::CpuMask processors = sched::CpuMask::all(); ///< of these one worker on each that runs
    Bytes stack{u64{64} << 10};                        ///< of a worker; its tasks nest there
    bool owns_registers = false; ///< tasks may use vector and floating-point registers
};

class ForkJoin {
public:
    using Pool = WorkPool<KernelThreads>;
    using Worker = Pool::Worker;
    using Task = Pool::Task;

    /// A task that calls `function(worker)`, which it holds.
    template<class Function>
    class Call final : public Task {
    public:
        explicit Call(Function const& function) : Task(call), m_function(function) {}

    private:
        static void call(Worker& worker, Task& task) {
            static_cast<Call&>(task).m_function(worker);
        }

        Function m_function;
    };

    ForkJoin(Threads& threads, memory::KernelHeap& heap)
        : m_threads(threads), m_heap(heap), m_seats(heap), m_left(threads.waiting(), 0) {}
    ForkJoin(ForkJoin const&) = delete;
    ForkJoin& operator=(ForkJoin const&) = delete;
    ~ForkJoin() { CHECK(!m_pool); }

    /// Workers begin. Errors: out_of_memory; invalid_argument (none of these processors runs);
    /// invalid_state (it is open); those of Threads::spawn. Context thread. O(processors).
    Result<void> open(ForkJoinAttributes const& attributes = {});
    /// Runs `task` and all that it forks; returns when it has run. Threads that are no workers of
    /// this pool, any number at once; context thread.
    void run(Task& task) {
        CHECK(m_pool.has_value());
        m_pool->run(task);
    }
    /// Workers end; nobody is in `run`. Nothing is left. Context thread. O(processors).
    void close();

    std::span<Worker const> workers() const { return m_workers; }

private:
    struct Seat {
        ForkJoin* owner;
        Worker* worker;
        Thread* thread;
    };

    Result<void> begin_workers(ForkJoinAttributes const& attributes, sched::CpuMask const& chosen);
    static void start(void* seat);

    Threads& m_threads;
    memory::KernelHeap& m_heap;
    std::span<Worker> m_workers;
    memory::Vector<Seat, memory::KernelHeap> m_seats; ///< of those whose threads have begun
    std::optional<Pool> m_pool;
    Semaphore<KernelThreads> m_left; ///< workers that are done, and wake nobody any more
};

} // namespace twofold::task
