// The threads of a kernel: the dispatcher over this machine, and the list of all threads.
//
// What a thread waits for is always the same: it parks, and somebody unparks it. An unpark that
// comes first is kept, so none is lost; a park may return early, so whoever parks looks again at
// what it waits for.
//
// A thread is preempted at the end of an interrupt, or where a scope ends that kept it on its
// processor. Then all of its state but the callee-saved registers lies on its stack already.
#pragma once

#include "core/task/spare_stacks.hpp"
#include "core/task/thread.hpp"

#include <optional>
#include <span>

namespace twofold::task {

class Threads;
struct CpuThreads;

/// This machine, for the dispatcher.
class MachineWorld {
public:
    class Lock : public sync::LockableSpinLock {
    public:
        Lock() : LockableSpinLock(sync::LockRank::scheduler) {}
    };

    MachineWorld(processor::CpuSet& cpus, hal::Vector vector) : m_cpus(cpus), m_vector(vector) {}

    Nanos now(CpuId) const { return hal::Clock::now(); }
    void arm(CpuId here, Nanos at);
    void kick(CpuId cpu) const { hal::Controller::send(cpu, m_vector); }
    static void relax() { sync::relax(); }

private:
    processor::CpuSet& m_cpus;
    hal::Vector m_vector;
};

/// What a processor runs threads with.
struct CpuThreads : processor::Runner {
    explicit CpuThreads(Threads& threads);

    Threads& owner;
    sched::RunQueue<Classes, MachineWorld> queue;
    Thread idle;
    processor::Timer alarm;
    Thread* running = nullptr;
    Thread* previous = nullptr; ///< while the processor goes from one thread to the next
    bool is_looking = false;    ///< it is about to switch, and lets interrupts through before
    IntrusiveList<Thread, DeadThreadsTag> over; ///< have exited here, and are to be buried
};

class Threads {
public:
    using Dispatch = sched::Dispatcher<Classes, MachineWorld>;
    static constexpr u32 threads_max = 1u << 17;
    static constexpr usize spare_stacks_max = 16;

    struct Plan {
        processor::CpuSet& cpus;
        processor::Interrupts& interrupts;
        memory::KernelHeap& heap;
        memory::KernelSpace& space;
        void (*idle)(processor::CpuLocal& cpu); ///< the loop of an idle processor; never returns
        /// Memory for as long as the kernel lives, zeroed, at a multiple of a page.
        Result<std::span<std::byte>> (*take_pages)(void* object, Bytes size);
        sched::CpuPlace (*place_of)(void* object, CpuId cpu);
        /// A piece of what is said of mutexes that can deadlock, interrupts off; the last is empty.
        void (*report)(void* object, std::string_view text);
        void* object;
    };

    /// Threads begin: the caller, on the boot processor, becomes the first one; the idle loops of
    /// the processors that run become idle threads. Interrupts are on. Errors: out_of_memory;
    /// not_supported (there are no interrupts or no clock).
    static Result<Threads*> begin(Plan const& plan);

    /// A thread that calls entry(argument), and runs as soon as it may. Context thread. Errors:
    /// out_of_memory; no_space (as many as there may be, or admission control); invalid_argument,
    /// out_of_range (the attributes); invalid_state (its process ends). O(1) beside memory.
    Result<Thread*> spawn(ThreadAttributes const& attributes, Thread::Entry entry, void* argument);
    /// Waits for the end of a thread that is not detached, and lets go of it; what it gave to
    /// `exit`. One caller. Errors: invalid_state (it is detached, or joined by somebody, or the
    /// caller). Context thread.
    Result<u64> join(Thread& thread);
    /// Nobody will join it. Errors: invalid_state.
    Result<void> detach(Thread& thread);
    /// Lets go of detached threads that are over; `spawn` does so, too. Context thread.
    void reap();
    /// The caller ends.
    [[noreturn]] void exit(u64 status);

    /// The thread that calls. Context thread or no-preempt; O(1).
    static Thread& current();
    /// The threads of the kernel that the caller runs in; null where there are none (yet).
    static Threads* here();

    /// Sleeps until unparked, or returns at once if it was since it last parked; sometimes early.
    /// Context thread, interrupts on or off.
    void park();
    /// The same until `deadline`: false where that has come. Errors: none; there is a clock.
    bool park_until(Nanos deadline);
    /// Any context but nmi, with no lock of rank `scheduler` or above.
    void unpark(Thread& thread);
    /// Lets others go first.
    void yield();
    /// Returns when the clock has reached `deadline`.
    void sleep_until(Nanos deadline);
    void sleep_for(Nanos duration) { sleep_until(hal::Clock::now() + duration); }

    /// Other parameters of its own; while it is lent stronger ones it runs with these. Errors:
    /// those of the policies; invalid_state (what asks for a guarantee, while it is lent others).
    Result<void> change(Thread& thread, Parameters const& parameters);
    Result<void> set_allowed(Thread& thread, sched::CpuMask const& allowed);
    Result<void> set_limit(Thread& thread, sched::BandwidthLimit const& limit);
    /// What it has done up to now.
    sched::TaskCounts counts(Thread const& thread);
    /// Asks a thread to end (Thread::is_to_end), and wakes it.
    void ask_to_end(Thread& thread);

    /// Calls visit(Thread&) for each thread, idle ones included, which last as long as that. In
    /// context irq: the list is locked.
    template<class Visit>
    void for_each(Visit const& visit) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        for (Thread& thread : m_all) {
            visit(thread);
        }
    }
    /// Runs visit(Thread&) for the thread of that number; false where there is none. As for_each.
    template<class Visit>
    bool with_thread(u64 id, Visit const& visit) {
        bool is_found = false;
        for_each([&](Thread& thread) {
            if (thread.id() == id) {
                visit(thread);
                is_found = true;
            }
        });
        return is_found;
    }
    u32 count();
    u64 ever() const { return m_next_id.load(relaxed); }
    Dispatch& dispatcher() { return m_dispatcher; }
    Process& kernel_process() { return m_kernel; }
    /// What mutexes are made with: `Mutex<KernelThreads> mutex(threads.locks(), "name")`.
    LockDomain<KernelThreads>& locks() { return m_locks; }
    /// What all else is made with that threads sleep for.
    KernelThreads& waiting() { return m_waiting; }

private:
    friend struct CpuThreads;
    friend class KernelThreads;

    Threads(
        Plan const& plan,
        hal::Vector vector,
        std::span<Dispatch::Queue*> queues,
        sync::LockOrder* order);

    template<class T>
    static Result<T*> take_room(Plan const& plan, usize count = 1) {
        auto const pages = TRY(plan.take_pages(plan.object, {sizeof(T[1]) * count}));
        return room_for<T>(pages.data());
    }
    Result<void> join_processor(CpuId cpu);
    void install(CpuThreads& own, processor::CpuLocal& cpu);
    Result<void> adopt_caller();
    static CpuThreads& own_of(processor::CpuLocal& cpu) {
        return static_cast<CpuThreads&>(*cpu.runner);
    }
    static Result<Thread::Name> check(ThreadAttributes const& attributes);
    Result<void> prepare(Thread& thread, ThreadAttributes const& attributes);
    Result<void> give_registers(Thread& thread);
    void publish(Thread& thread, Process& process);
    void dispose(Thread& thread);
    static void bury_all(void*);
    void bury(Thread& thread);

    /// How a thread is left: by a call of its own, or by the end of an interrupt.
    enum class Leave : u8 { called, interrupted };

    void switch_to(sched::Schedulable<Classes>* next, Leave leave = Leave::called);
    void finish_switch();
    static void start(void* thread);
    void settle(hal::InterruptState before);
    Result<void> run_with(Thread& thread, Parameters const& parameters);
    static void attend(sync::CpuState& state);
    static void find_work(processor::CpuLocal& cpu);
    static void take_alarm(void* own);
    static processor::Handling take_kick(void* self, hal::Interruption const& interruption);

    Plan m_plan;
    MachineWorld m_world;
    hal::Vector m_vector;
    Dispatch m_dispatcher;
    Process m_kernel;
    KernelThreads m_waiting{*this};
    LockDomain<KernelThreads> m_locks;
    SpareStacks<spare_stacks_max> m_spare_stacks{ThreadAttributes::stack_default};
    Atomic<u64> m_next_id{0};
    sync::SpinLock m_lock{sync::LockRank::thread_list};
    IntrusiveList<Thread, AllThreadsTag> m_all GUARDED_BY(m_lock);
    IntrusiveList<Thread, DeadThreadsTag> m_dead GUARDED_BY(m_lock); ///< detached, and over
};

inline Thread& Threads::current() {
    sync::InterruptGuard const off;
    return *own_of(processor::this_cpu()).running;
}

// Here, where they are known to what takes a mutex.
inline Thread& KernelThreads::current() {
    return Threads::current();
}
inline LockState<KernelThreads>& KernelThreads::lock_state(Thread& thread) {
    return thread.m_locks;
}

} // namespace twofold::task
