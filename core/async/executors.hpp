// The executors of a kernel: one on each processor that runs, each in a thread of its own.
#pragma once

#include "core/async/frame_cache.hpp"
#include "core/async/thread_executor.hpp"
#include "core/task/task.hpp"

namespace twofold::async {

/// What they are opened with.
struct ExecutorAttributes {
    task::Parameters parameters = task::default_parameters();
    Bytes stack = task::ThreadAttributes::stack_default; ///< of an executor; all tasks run on it
};

class Executors {
public:
    Executors(task::Threads& threads, memory::KernelHeap& heap)
        : m_threads(threads), m_heap(heap), m_frames(FrameSource::of(heap)), m_seats(heap) {}
    Executors(Executors const&) = delete;
    Executors& operator=(Executors const&) = delete;
    ~Executors() { CHECK(m_seats.size() == 0); }

    /// Threads begin. Errors: out_of_memory; those of Threads::spawn. Context thread;
    /// O(processors).
    Result<void> open(ExecutorAttributes const& attributes = {});
    /// They end. No task runs, nobody wakes one, and no frame lives. Context thread; O(processors).
    void close();

    /// That of the processor on which the caller runs, or ran; of any processor that runs threads.
    /// Any context; O(1) and O(processors).
    Executor& here() { return of(hal::Cpu::id()); }
    Executor& of(CpuId cpu) { return seat_of(cpu).runner.executor(); }
    /// Frames from the kernel's heap, for scopes of any executor.
    FrameSource const& frames() const { return m_frames; }
    /// The same for scopes of that processor's executor, which keeps some for the next tasks. Any
    /// context; as `of`.
    FrameSource const& frames_of(CpuId cpu) { return seat_of(cpu).cache.frames(); }

    /// Calls visit(CpuId, Executor const&) for each.
    template<class Visit>
    void for_each(Visit const& visit) {
        for (auto const& seat : m_seats) {
            visit(seat->cpu, seat->runner.executor());
        }
    }

private:
    struct Clock {
        static Nanos now() { return hal::Clock::now(); }
    };
    struct Seat {
        Seat(Executors& its_owner, CpuId its_cpu)
            : owner(its_owner),
              cpu(its_cpu),
              runner(its_owner.m_threads.waiting()),
              cache(runner.executor(), its_owner.m_frames) {}

        Executors& owner;
        CpuId cpu;
        ThreadExecutor<task::KernelThreads, Clock> runner;
        FrameCache cache;
        task::Thread* thread = nullptr;
    };

    Seat& seat_of(CpuId cpu);
    Result<void> open_on(CpuId cpu, ExecutorAttributes const& attributes);
    static void run(void* seat);

    task::Threads& m_threads;
    memory::KernelHeap& m_heap;
    FrameSource m_frames;
    memory::Vector<memory::Box<Seat, memory::KernelHeap>, memory::KernelHeap> m_seats;
};

} // namespace twofold::async
