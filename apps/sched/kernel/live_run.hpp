// A live run: the threads of a workload are threads of this kernel, on its processors, in its time.
// They compute in loops, sleep by the clock, and wait for the kernel's mutexes, conditions and
// semaphores. What became of each is measured.
//
// Beside what the engine models (engine.hpp): who holds a mutex always runs as strong as who waits
// for it, and gives it back when it ends; there are no devices, and all processors are alike.
#pragma once

#include "apps/sched/kernel/kernel_run.hpp"
#include "apps/sched/kernel/live_objects.hpp"

namespace twofold::lab {

inline constexpr usize live_tasks_max = 4096;

/// Why a workload cannot be run live, in a few words; empty if it can. O(operations).
std::string_view live_objection(Workload const& workload);

using LiveSamples = memory::Vector<i64, memory::KernelHeap>;

class LiveRun;

/// A thread of the workload, and what was measured of it.
struct LiveThread {
    explicit LiveThread(memory::KernelHeap& heap) : latencies(heap), responses(heap) {}

    static constexpr usize locks_max = 8; ///< held at one time

    LiveRun* run = nullptr;
    task::Thread* thread = nullptr;
    u32 number = 0;
    u32 place = 0; ///< the operation that it is at
    i64 rounds[levels_max]{};
    Nanos started{};
    Nanos released{}; ///< when its job was to begin
    FixedVector<u32, locks_max> locks;

    LiveSamples latencies; ///< from each wake-up to the processor
    LiveSamples responses; ///< of each job
    u64 late = 0;
    u64 refused = 0;
    sched::TaskCounts counts;   ///< at its end
    std::optional<Error> error; ///< no memory for a sample, or (no_space) too many locks
};

/// What a processor did meanwhile.
struct LiveCpu {
    Nanos idle{};
    u64 switches = 0;
    sched::Violation violation{}; ///< of its policies, so far
};

class LiveRun {
public:
    using Heap = memory::KernelHeap;

    /// Makes everything but the threads themselves. `workload` and all others outlive the run; it
    /// has no live_objection, and as many processors at most as run. Errors: out_of_memory,
    /// not_found (no such policy).
    static Result<memory::Box<LiveRun, Heap>>
    create(Heap& heap, task::Threads& threads, Workload const& workload, std::string_view policy);

    LiveRun(Heap& heap, task::Threads& threads, Workload const& workload)
        : m_heap(heap), m_threads(threads), m_workload(workload), m_gate(threads.waiting()) {}

    /// Lets the threads run for the duration of the workload, and waits for their ends. What was
    /// refused by admission control is in `refusal`; then nothing has run. Errors: out_of_memory
    /// (for threads, or for what was measured), no_space (a thread took more than locks_max mutexes
    /// at one time). Context thread.
    Result<void> run();

    std::optional<KernelRefusal> const& refusal() const { return m_refusal; }
    std::span<LiveThread> threads() const { return m_all.all(); }
    std::span<LiveCpu const> cpus() const { return m_cpus.all(); }
    Nanos lasted() const { return m_lasted; }

private:
    enum class Step : u8 { next, stops };

    Result<void> make(std::string_view policy);
    Result<void> spawn_all();
    void read_cpus(bool is_end);
    sched::CpuMask mask_of(u32 affinity) const;

    // Each runs on the thread that it is given.
    static void play(void* live_thread);
    void play(LiveThread& self);
    Step step(LiveThread& self);
    Step use(LiveThread& self, Operation const& operation);
    Step compute(Nanos time);
    Step sleep_until(LiveThread& self, Nanos at);
    Step use_timer(LiveThread& self, Operation const& operation);
    Step lock(LiveThread& self, u32 number);
    void unlock(LiveThread& self, u32 number);
    Step wait_for(LiveThread& self, Operation const& operation);
    Step meet(LiveThread& self, u32 number);
    template<class Wait>
    Step wait(LiveThread& self, Wait const& wait);
    void end_job(LiveThread& self, Nanos now, bool is_late);
    void note_wake(LiveThread& self, Nanos now, Nanos latency);
    sched::TaskCounts own_counts();
    bool is_over() const { return hal::Clock::now() >= m_end; }

    Heap& m_heap;
    task::Threads& m_threads;
    Workload const& m_workload;
    task::Event<task::KernelThreads> m_gate;
    HeapObjects<LiveThread> m_all;
    HeapObjects<LiveCpu> m_cpus;
    HeapObjects<LiveMutex> m_mutexes;
    HeapObjects<LiveCondition> m_conditions;
    HeapObjects<LiveBarrier> m_barriers;
    HeapObjects<LiveQueue> m_queues;
    HeapObjects<LiveTimer> m_timers;
    HeapObjects<task::Parameters> m_parameters;
    std::optional<KernelRefusal> m_refusal;
    Nanos m_start{};
    Nanos m_end{}; ///< of the run, by the clock; nobody waits for longer
    Nanos m_lasted{};
};

} // namespace twofold::lab
