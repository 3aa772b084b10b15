// Mutexes of threads of several strengths: who holds one that a stronger thread waits for runs as
// strong as that; and with its own strength again as soon as nobody does, whoever waited has come
// in or given up.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

class InversionWorkload {
public:
    explicit InversionWorkload(Run& run)
        : m_threads(run.task_threads()),
          m_outer(m_threads.locks(), "outer"),
          m_inner(m_threads.locks(), "inner") {}
    InversionWorkload(InversionWorkload const&) = delete;
    InversionWorkload& operator=(InversionWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        task::Thread& self = task::Threads::current();
        u32 const priority = 1 + static_cast<u32>(step.random.below(40));
        auto const own = task::Parameters::of<sched::Fifo>({.priority = priority});
        step.equal("a thread gets a priority", answer_ok, m_threads.change(self, own));
        u64 const what = step.random.below(100);
        if (what < 30) {
            task::MutexGuard const guard(m_inner);
            hold(step, self);
        } else if (what < 50) {
            task::MutexGuard const outer(m_outer);
            task::MutexGuard const inner(m_inner);
            hold(step, self);
        } else {
            hurry(step);
        }
        step.equal("priority of who holds nothing", priority, priority_of(m_threads.locks(), self));
        step.equal("priority that it has itself", priority, of(self.own_parameters()));
        step.equal(
            "a thread gets its parameters back", answer_ok,
            m_threads.change(self, task::default_parameters()));
    }

    void end(Check& check) {
        check.holds("nobody holds a mutex", !m_outer.is_held() && !m_inner.is_held());
    }

private:
    using Mutex = task::Mutex<task::KernelThreads>;
    static constexpr Nanos long_enough{probe::is_simulated ? i64{20'000'000} : i64{5'000'000'000}};

    static u32 of(task::Parameters const& parameters) {
        return parameters.is<sched::Fifo>() ? parameters.get<sched::Fifo>().priority : 0;
    }
    static u32 priority_of(task::LockDomain<task::KernelThreads>& locks, task::Thread& thread) {
        return of(locks.effective(thread));
    }

    /// A thread that waits for the mutex is not stronger than who holds it.
    void hold(Step& step, task::Thread& self) {
        step.equal("others that hold it", 0, m_inside.fetch_add(1, relaxed));
        m_threads.sleep_for(Nanos{static_cast<i64>(step.random.below(8'000))});
        u32 const waits = m_waits.load(relaxed);
        u32 const before = m_waiting.load(relaxed);
        Nanos const end = hal::Clock::now() + long_enough;
        // Whoever says that it waits may just be about to.
        while (priority_of(m_threads.locks(), self) < before) {
            if (waits != m_waits.load(relaxed) || before != m_waiting.load(relaxed)) {
                break; // it waits no longer, or somebody else does
            }
            if (!step.holds(
                    "who holds a mutex is as strong as who waits", hal::Clock::now() < end)) {
                break;
            }
            m_threads.sleep_for({1'000});
        }
        m_inside.fetch_sub(1, relaxed);
    }
    /// Waits for a short time only.
    void hurry(Step& step) {
        Nanos const end =
            hal::Clock::now() + Nanos{static_cast<i64>(500 + step.random.below(2'500))};
        u32 const own = of(task::Threads::current().own_parameters());
        if (m_inner.lock_until(end)) {
            step.equal("others that hold it", 0, m_inside.fetch_add(1, relaxed));
            m_inside.fetch_sub(1, relaxed);
            m_inner.unlock();
            return;
        }
        // Once more, and longer; the others may look for this one meanwhile.
        m_waits.fetch_add(1, relaxed);
        m_waiting.store(own, relaxed);
        bool const is_taken = m_inner.lock_until(hal::Clock::now() + Nanos{3 * long_enough.value});
        m_waiting.store(0, relaxed);
        m_waits.fetch_add(1, relaxed);
        if (is_taken) {
            m_inner.unlock();
        }
    }

    task::Threads& m_threads;
    Mutex m_outer; ///< taken before the inner one
    Mutex m_inner;
    Atomic<u32> m_inside{0};
    Atomic<u32> m_waiting{0}; ///< the priority of one who waits, or is about to
    Atomic<u32> m_waits{0};   ///< how often that has changed
};

} // namespace

constinit Workload const inversion_workload = workload_of<InversionWorkload>(
    {.name = "inversion",
     .about = "mutexes of threads of several strengths, which lend them to each other",
     .cpus = 2,
     .threads = 4});

} // namespace twofold::workloads
