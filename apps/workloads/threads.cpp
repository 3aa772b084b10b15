// Threads come, run where they may, end and are joined or not; what they lay in comes back.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

class ThreadsWorkload {
public:
    explicit ThreadsWorkload(Run& run) : m_run(run), m_threads(run.task_threads()) {}
    ThreadsWorkload(ThreadsWorkload const&) = delete;
    ThreadsWorkload& operator=(ThreadsWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        u64 const what = step.random.below(100);
        if (what < 45) {
            join_some(step);
        } else if (what < 50) {
            park(step);
        } else if (what < 63) {
            preempt(step);
        } else if (what < 72) {
            end_one(step);
        } else if (what < 80) {
            detach_one(step);
        } else if (what < 90) {
            refuse(step);
        } else {
            move(step);
        }
    }

    void end(Check& check) {
        Nanos const end = hal::Clock::now() + long_enough;
        while (m_detached.load(acquire) != 0 && hal::Clock::now() < end) {
            m_threads.sleep_for({20'000});
        }
        check.equal("detached threads that run", 0, m_detached.load(relaxed));
        while (dead_wait() && hal::Clock::now() < end) {
            m_threads.sleep_for({20'000}); // until they are off their processors
        }
        m_threads.reap();
    }

private:
    static constexpr usize children_max = 4;
    static constexpr Nanos long_enough{probe::is_simulated ? i64{40'000'000} : i64{20'000'000'000}};

    struct Child {
        ThreadsWorkload* owner = nullptr;
        task::Thread* thread = nullptr;
        sched::CpuMask allowed;
        u64 status = 0;
        u32 turns = 0;
        Atomic<u32> is_done{0};
        Atomic<u32> is_misplaced{0};
    };

    static void run_child(void* child) {
        auto& own = *static_cast<Child*>(child);
        task::Threads& threads = own.owner->m_threads;
        for (u32 turn = 0; turn < own.turns; ++turn) {
            {
                sync::NoPreemptGuard const here;
                own.is_misplaced.fetch_or(own.allowed.has(hal::Cpu::id()) ? 0 : 1, relaxed);
            }
            turn % 2 == 0 ? threads.yield() : threads.sleep_for({2'000});
        }
        own.is_done.store(1, release);
        threads.exit(own.status);
    }
    sched::CpuMask random_cpus(Step& step) const {
        return step.chance(40) ? sched::CpuMask::all()
                               : one_of(step, m_threads.dispatcher().known());
    }
    /// Not the caller's, if there is another one.
    sched::CpuMask one_other_cpu(Step& step) const {
        sched::CpuMask others = m_threads.dispatcher().known();
        if (others.size() > 1) {
            others.remove(hal::Cpu::id()); // threads that do operations stay on their processor
        }
        return one_of(step, others);
    }
    static sched::CpuMask one_of(Step& step, sched::CpuMask const& cpus) {
        u64 skip = step.random.below(cpus.size());
        sched::CpuMask one;
        cpus.for_each([&](CpuId cpu) {
            bool const is_it = skip-- == 0;
            if (is_it) {
                one.add(cpu);
            }
            return !is_it;
        });
        return one;
    }
    Result<void> spawn(Step& step, Child& child) {
        child.owner = this;
        child.allowed = random_cpus(step);
        child.status = step.random.next();
        child.turns = static_cast<u32>(step.random.below(4));
        task::ThreadAttributes attributes;
        attributes.name = "child";
        attributes.allowed = child.allowed;
        child.thread = TRY(m_threads.spawn(attributes, run_child, &child));
        return {};
    }
    /// That it went well, or that there was no memory or no room for a thread.
    static bool has_begun(Step& step, Result<task::Thread*> const& made) {
        return has_begun(step, made ? Result<void>() : Result<void>(made.error()));
    }
    static bool has_begun(Step& step, Result<void> const& spawned) {
        bool const is_full = !spawned && spawned.error() == Error::no_space;
        return (is_full || step.well("a thread begins", spawned)) && spawned.has_value();
    }

    void join_some(Step& step) {
        Child children[children_max];
        usize const count = 1 + step.random.below(children_max);
        for (Child& child : std::span(children).first(count)) {
            has_begun(step, spawn(step, child));
        }
        for (Child& child : std::span(children).first(count)) {
            if (child.thread == nullptr) {
                continue;
            }
            if (step.chance(50)) { // somebody has woken this one for another reason
                m_threads.unpark(task::Threads::current());
            }
            auto const status = m_threads.join(*child.thread);
            if (step.equal("a thread is joined", answer_ok, status)) {
                step.equal("its status", child.status, status.value());
            }
            step.equal("it is done", 1, child.is_done.load(acquire));
            step.equal("it ran where it may not", 0, child.is_misplaced.load(relaxed));
        }
    }
    /// Who was woken before it sleeps does not sleep.
    void park(Step& step) {
        m_threads.unpark(task::Threads::current());
        step.holds(
            "a thread that may go on does", m_threads.park_until(hal::Clock::now() + long_enough));
    }
    /// A stronger thread runs at once, though somebody computes there and never looks up.
    void preempt(Step& step) {
        struct Busy {
            Atomic<u32> has_begun{0};
            Atomic<u32> is_over{0};
            Atomic<u32> saw_end{0};
        } busy;
        task::ThreadAttributes attributes;
        attributes.allowed = one_other_cpu(step);
        auto const computes = [](void* argument) {
            auto& own = *static_cast<Busy*>(argument);
            Nanos const end = hal::Clock::now() + long_enough;
            own.has_begun.store(1, release);
            while (own.is_over.load(acquire) == 0 && hal::Clock::now() < end) {
                sync::relax();
            }
            own.saw_end.store(own.is_over.load(acquire), release);
        };
        auto const busy_thread = m_threads.spawn(attributes, computes, &busy);
        if (!has_begun(step, busy_thread)) {
            return;
        }
        while (busy.has_begun.load(acquire) == 0) {
            m_threads.sleep_for({2'000});
        }
        attributes.parameters = task::Parameters::of<sched::Fifo>({.priority = 50});
        auto const stronger = m_threads.spawn(
            attributes,
            [](void* argument) { static_cast<Busy*>(argument)->is_over.store(1, release); }, &busy);
        if (has_begun(step, stronger)) {
            step.equal("a stronger thread is joined", answer_ok, m_threads.join(*stronger.value()));
            step.equal("a busy thread is joined", answer_ok, m_threads.join(*busy_thread.value()));
            step.equal("who was busy saw the end", 1, busy.saw_end.load(acquire));
        } else {
            busy.is_over.store(1, release);
            step.equal("a busy thread is joined", answer_ok, m_threads.join(*busy_thread.value()));
        }
    }
    /// One that runs until it is asked to end.
    void end_one(Step& step) {
        struct Patient {
            ThreadsWorkload* owner;
            Atomic<u32> parks{0};
        } patient{this};
        task::ThreadAttributes attributes;
        attributes.allowed = random_cpus(step);
        auto const made = m_threads.spawn(
            attributes,
            [](void* argument) {
                auto& own = *static_cast<Patient*>(argument);
                while (!task::Threads::current().is_to_end()) {
                    own.owner->m_threads.park();
                    own.parks.fetch_add(1, relaxed);
                }
            },
            &patient);
        if (!has_begun(step, made)) {
            return;
        }
        m_threads.sleep_for(Nanos{static_cast<i64>(step.random.below(5'000))});
        m_threads.ask_to_end(*made.value());
        step.equal("a thread that was to end ends", u64{0}, m_threads.join(*made.value()).value());
    }
    void detach_one(Step& step) {
        m_detached.fetch_add(1, relaxed);
        task::ThreadAttributes attributes;
        attributes.allowed = random_cpus(step);
        attributes.is_detached = step.chance(50);
        auto const made = m_threads.spawn(
            attributes,
            [](void* owner) {
                static_cast<ThreadsWorkload*>(owner)->m_detached.fetch_sub(1, release);
            },
            this);
        if (!has_begun(step, made)) {
            m_detached.fetch_sub(1, relaxed);
        } else if (!attributes.is_detached) {
            step.equal("a thread is detached", answer_ok, m_threads.detach(*made.value()));
        }
    }
    /// Two that ask for more than all of a processor: one is refused, and leaves nothing behind.
    void refuse(Step& step) {
        Child children[2];
        task::ThreadAttributes attributes;
        constexpr i64 ms = 1'000'000;
        attributes.parameters = task::Parameters::of<sched::Edf>({Nanos{7 * ms}, Nanos{10 * ms}});
        attributes.allowed = sched::CpuMask::only({0});
        usize begun = 0;
        for (Child& child : children) {
            child.owner = this;
            child.allowed = attributes.allowed;
            auto const made = m_threads.spawn(attributes, run_child, &child);
            if (made) {
                child.thread = made.value();
                ++begun;
            } else if (made.error() != Error::no_space) {
                step.well("a thread with a guarantee", made);
            }
        }
        step.holds(
            "guarantees are within what there is",
            begun <= 1 || children[0].is_done.load(acquire) != 0);
        for (Child const& child : children) {
            if (child.thread != nullptr) {
                step.equal("a thread is joined", answer_ok, m_threads.join(*child.thread));
            }
        }
        auto const self = m_threads.join(task::Threads::current());
        step.equal("who joins itself", Error::invalid_state, self);
    }
    /// The caller itself goes to another processor and back.
    void move(Step& step) {
        task::Thread& self = task::Threads::current();
        sched::CpuMask const before = self.allowed();
        sched::CpuMask const there = random_cpus(step);
        step.equal("it may run elsewhere", answer_ok, m_threads.set_allowed(self, there));
        for (int i = 0; i < 3; ++i) {
            m_threads.yield();
            sync::NoPreemptGuard const here;
            step.holds("it runs where it may", there.has(hal::Cpu::id()));
        }
        step.equal("and here again", answer_ok, m_threads.set_allowed(self, before));
        m_threads.yield();
    }
    /// Whether somebody that was detached is still on its way.
    bool dead_wait() {
        bool is_found = false;
        m_threads.for_each(
            [&](task::Thread& thread) { is_found = is_found || thread.name() == "thread"; });
        return is_found;
    }

    Run& m_run;
    task::Threads& m_threads;
    Atomic<u32> m_detached{0};
};

} // namespace

constinit Workload const threads_workload = workload_of<ThreadsWorkload>(
    {.name = "threads",
     .about = "threads that are made, move, end, and are joined, detached or refused",
     .operations = 32});

} // namespace twofold::workloads
