// A thread: a stack, what the dispatcher keeps of it, and how it ends.
#pragma once

#include "core/memory/memory.hpp"
#include "core/processor/processor.hpp"
#include "core/task/kernel_threads.hpp"
#include "core/task/process.hpp"
#include "hal/context.hpp"

namespace twofold::task {

/// What a thread is made with.
struct ThreadAttributes {
    static constexpr Bytes stack_default{u64{32} << 10};
    static constexpr Bytes stack_min{u64{16} << 10};
    static constexpr Bytes stack_max{u64{8} << 20};

    std::string_view name = "thread"; ///< at most 31 letters
    Parameters parameters = default_parameters();
    sched::CpuMask allowed = sched::CpuMask::all();
    sched::BandwidthLimit limit;
    Bytes stack = stack_default; ///< whole pages; a guard page lies below
    bool is_detached = false;    ///< nobody joins it
    bool owns_registers = false; ///< it may use vector and floating-point registers
    Process* process = nullptr;  ///< null: the kernel's
};

struct AllThreadsTag;
struct DeadThreadsTag;

class Thread : public sched::Schedulable<Classes>,
               public ListNode<AllThreadsTag>,
               public ListNode<DeadThreadsTag> {
public:
    using Name = FixedString<31>;
    using Entry = void (*)(void* argument);

    Thread() = default;

    u64 id() const { return m_id; }
    std::string_view name() const { return m_name.view(); }
    Process& process() const { return *m_process; }
    /// With what it was made to run, and what was said since; `parameters` may be lent.
    Parameters const& own_parameters() const { return m_own; }
    /// Size 0: it came with its processor.
    memory::KernelStack const& stack() const { return m_stack; }
    /// Runs where nobody else does; no policy knows it, so nothing of it can be changed.
    bool is_idle() const { return m_is_idle; }
    /// Somebody wants it to end; it does so where it looks.
    bool is_to_end() const { return m_is_to_end.load(relaxed) != 0; }

private:
    friend class Threads;
    friend class KernelThreads;

    /// What belongs to the running thread and lies in its processor's state.
    struct Saved {
        void* recovery = nullptr;
        sync::NoAllocScope const* no_alloc = nullptr;
    };

    u64 m_id = 0;
    Name m_name;
    Process* m_process = nullptr;
    hal::Context m_context;
    memory::KernelStack m_stack{}; ///< size 0: it came with its processor
    Entry m_entry = nullptr;
    void* m_argument = nullptr;
    Saved m_saved;
    std::span<std::byte> m_registers; ///< where its extended ones are kept; empty: it owns none
    Parameters m_own = default_parameters(); ///< guarded by the domain of mutexes
    LockState<KernelThreads> m_locks;
    bool m_is_idle = false;
    Atomic<u32> m_is_to_end{0};
    // The following are guarded by the list of threads.
    bool m_is_over = false; ///< off its processor for good
    bool m_is_detached = false;
    Thread* m_joiner = nullptr;
    u64 m_status = 0;
    bool m_has_exited = false; ///< written by itself, read once it is over
};

} // namespace twofold::task
