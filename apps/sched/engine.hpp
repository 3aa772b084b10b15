// The engine of the laboratory: a machine of N processors in virtual time that executes a workload
// over the kernel's own dispatcher. Nothing in it depends on anything but the workload, the policy
// and the costs, so two runs of the same are the same, on a host and inside of a kernel.
//
// Time goes from event to event: a timer of a thread, the end of a piece of work, an alarm that the
// dispatcher has set, a kick. Operations take no time but what they say; going from one thread to
// another takes `switch_cost`, in which no work is done. An idle processor looks for work elsewhere
// whenever something has happened on it.
//
// Mutexes and queues are handed over: to who has waited the longest.
//
// All that happens is told to the `Observer`. Threads that execute more than `steps_max` operations
// at one instant, and some for each thread, end the run: they would go on for ever.
#pragma once

#include "apps/sched/meetings.hpp"

namespace twofold::lab {

template<sched::Policy P>
struct EngineOptions {
    Nanos switch_cost{};
    Nanos duration{};
    Lending<P> lent = nullptr;
};

template<sched::Policy P, Observer O>
class Engine {
public:
    static constexpr u32 steps_max = 100'000;
    static constexpr u32 steps_of_thread = 64;

    /// The machine, as the dispatcher sees it.
    class World {
    public:
        using Lock = VirtualLock;

        explicit World(Engine& engine) : m_engine(engine) {}
        Nanos now(CpuId) const { return m_engine.m_now; }
        void arm(CpuId cpu, Nanos at) {
            EventSource& alarm = m_engine.m_memory.cpus[cpu.value].alarm;
            if (at == sched::never) {
                m_engine.m_events.drop(alarm);
            } else {
                m_engine.m_events.set(alarm, std::max(at, m_engine.m_now));
            }
        }
        void kick(CpuId cpu) {
            m_engine.m_events.set(m_engine.m_memory.cpus[cpu.value].kick, m_engine.m_now);
        }
        void relax() const { UNREACHABLE(); } // nobody else is at work
        void note(sched::DispatchEvent<P> const& event) { m_engine.note(event); }

    private:
        Engine& m_engine;
    };
    using Queue = sched::RunQueue<P, World>;

    /// `queues`: one for each processor of the workload, made by whoever knows the policy.
    Engine(
        Workload const& workload,
        EngineOptions<P> const& options,
        EngineMemory<P> const& memory,
        std::span<Queue*> queues,
        std::span<Queue*> known,
        O& observer)
        : m_workload(workload),
          m_options(options),
          m_memory(memory),
          m_observer(observer),
          m_meetings(*this, workload, memory, options.lent),
          m_world(*this),
          m_dispatcher(m_world, known) {
        for (u32 i = 0; i < workload.cpus.size(); ++i) {
            add_cpu(i, *queues[i]);
        }
    }
    Engine(Engine const&) = delete;
    Engine& operator=(Engine const&) = delete;
    ~Engine() { tear_down(); }

    /// Admits all threads. Errors: those of the policy; then `refused()` says whose.
    Result<void> admit() {
        for (u32 i = 0; i < m_workload.tasks.size(); ++i) {
            Task const& task = m_workload.tasks[i];
            Thread& thread = m_memory.threads[i];
            thread.number = i;
            thread.place = task.program;
            thread.wants_scheduling = task.schedule;
            thread.timer.kind = SourceKind::thread_timer;
            thread.timer.number = i;
            thread.started = thread.released = task.delay;
            auto const admitted = m_dispatcher.admit(
                thread, m_memory.parameters[task.schedule], mask_of(task.affinity));
            if (!admitted) {
                m_refused = i;
                return admitted;
            }
            thread.is_blocked = true;
            m_events.set(thread.timer, task.delay);
        }
        return {};
    }
    /// Runs until the end of `duration`, or until nothing more can happen.
    void run() {
        while (EventSource* const source = m_events.first()) {
            if (source->at > m_options.duration || m_is_stuck) {
                break;
            }
            m_steps = m_now == source->at ? m_steps : 0;
            m_now = source->at;
            m_events.drop(*source);
            handle(*source);
        }
        if (!m_is_stuck) {
            m_now = m_options.duration;
        }
        for (LabCpu<P>& cpu : m_memory.cpus) {
            pay(cpu);
        }
    }

    u32 refused() const { return m_refused; }
    Nanos now() const { return m_now; }
    /// What switches have cost on a processor.
    Nanos overhead(u32 cpu) const { return m_memory.cpus[cpu].overhead; }

private:
    using Thread = LabThread<P>;
    friend class Meetings<P, Engine>;

    /// What an operation leads to.
    enum class Step : u8 { next, computes, blocks, yields, exits };

    // ---- the machine ----

    void add_cpu(u32 number, Queue& queue) {
        LabCpu<P>& cpu = m_memory.cpus[number];
        Cpu const& given = m_workload.cpus[number];
        cpu.idle.number = nobody;
        cpu.current = &cpu.idle;
        cpu.alarm.kind = SourceKind::alarm;
        cpu.kick.kind = SourceKind::kick;
        cpu.done.kind = SourceKind::work_done;
        cpu.alarm.number = cpu.kick.number = cpu.done.number = number;
        m_dispatcher.add(
            queue, {number},
            {.node = static_cast<u16>(given.node), .capacity = static_cast<u16>(given.capacity)},
            cpu.idle);
    }
    sched::CpuMask mask_of(u32 affinity) const {
        sched::CpuMask mask;
        for (u32 cpu = 0; cpu < m_workload.cpus.size(); ++cpu) {
            if ((m_workload.affinities[affinity] >> cpu & 1) != 0) {
                mask.add({cpu});
            }
        }
        return mask;
    }
    void tell(HappeningKind kind, u32 cpu, u32 thread, u32 other = nobody, i64 amount = 0) {
        if (m_is_over) {
            return;
        }
        m_observer.take(
            {.kind = kind,
             .cpu = cpu,
             .thread = thread,
             .other = other,
             .now = m_now,
             .amount = amount});
    }
    void note(sched::DispatchEvent<P> const& event) {
        if (event.kind == sched::DispatchEventKind::run) {
            auto const* const thread = static_cast<Thread const*>(event.task);
            tell(HappeningKind::run, event.cpu.value, thread == nullptr ? nobody : thread->number);
        } else if (event.kind == sched::DispatchEventKind::violation) {
            tell(
                HappeningKind::violate, event.cpu.value, nobody, nobody,
                static_cast<i64>(event.violation));
        }
    }

    void handle(EventSource const& source) {
        if (source.kind == SourceKind::thread_timer) {
            Thread& thread = m_memory.threads[source.number];
            u32 const here = thread.cpu().value;
            wake(thread, here, nobody);
            settle(here);
            return;
        }
        u32 const here = source.number;
        if (source.kind == SourceKind::work_done) {
            Thread& thread = *m_memory.cpus[here].current;
            if (thread.work_left > 0) {
                thread.work_left = 0;
                ++thread.place;
            }
            execute(here);
        } else {
            m_dispatcher.attend({here});
        }
        settle(here);
    }
    /// Does what the dispatcher asks for, until it asks for nothing more.
    void settle(u32 here) {
        LabCpu<P> const& cpu = m_memory.cpus[here];
        while (!m_is_stuck) {
            bool const is_idle = cpu.current == &cpu.idle;
            bool const asks =
                m_dispatcher.wants_reschedule({here}) || (is_idle && m_dispatcher.steal({here}));
            if (!asks) {
                return;
            }
            change_to(here, m_dispatcher.preempt({here}));
            go_on(here);
        }
    }

    // ---- going from thread to thread ----

    /// `next` is an answer of the dispatcher; null: the same one goes on.
    void change_to(u32 here, sched::Schedulable<P>* next) {
        if (next == nullptr) {
            return;
        }
        LabCpu<P>& cpu = m_memory.cpus[here];
        stop_work(here);
        pay(cpu);
        cpu.current = static_cast<Thread*>(next);
        cpu.paid_until = m_now;
        cpu.arrives_at = cpu.current == &cpu.idle ? m_now : m_now + m_options.switch_cost;
        m_dispatcher.finish({here});
        go_on(here);
    }
    /// Who runs here goes on with its work, or with its program, as soon as the switch is over.
    void go_on(u32 here) {
        LabCpu<P>& cpu = m_memory.cpus[here];
        if (cpu.current == &cpu.idle || cpu.done.is_linked()) {
            return;
        }
        u64 const rate = rate_on(here, *cpu.current);
        u64 const takes = (cpu.current->work_left + rate - 1) / rate;
        cpu.computes_from = std::max(cpu.arrives_at, m_now);
        m_events.set(cpu.done, cpu.computes_from + Nanos{static_cast<i64>(takes)});
    }
    /// Who runs here loses its processor; what it has done of its work is done.
    void stop_work(u32 here) {
        LabCpu<P>& cpu = m_memory.cpus[here];
        Thread& thread = *cpu.current;
        m_events.drop(cpu.done);
        if (thread.work_left == 0 || m_now <= cpu.computes_from) {
            return;
        }
        u64 const time = static_cast<u64>((m_now - cpu.computes_from).value);
        u64 const done = time * rate_on(here, thread);
        thread.work_left -= std::min(done, thread.work_left);
        if (thread.work_left == 0) {
            ++thread.place;
        }
    }
    u64 rate_on(u32 here, Thread const& thread) const {
        return thread.is_time ? 1024 : m_workload.cpus[here].capacity;
    }
    /// What the last switch has cost up to now.
    void pay(LabCpu<P>& cpu) {
        Nanos const until = std::min(m_now, cpu.arrives_at);
        if (until > cpu.paid_until) {
            cpu.overhead = cpu.overhead + (until - cpu.paid_until);
            cpu.paid_until = until;
        }
    }

    // ---- programs ----

    /// Goes on with the program of who runs here, until it takes time, sleeps or has to give way.
    void execute(u32 here) {
        Thread& thread = *m_memory.cpus[here].current;
        while (!m_dispatcher.wants_reschedule({here})) {
            if (++m_steps > steps_max + steps_of_thread * m_memory.threads.size()) {
                m_is_stuck = true;
                tell(HappeningKind::stick, here, thread.number);
                return;
            }
            switch (step(here, thread)) {
            case Step::next:
                break;
            case Step::computes:
                go_on(here);
                return;
            case Step::blocks:
                thread.is_blocked = true;
                tell(HappeningKind::sleep, here, thread.number);
                change_to(here, m_dispatcher.park({here}));
                return;
            case Step::yields:
                if (auto* const next = m_dispatcher.yield({here})) {
                    change_to(here, next);
                    return;
                }
                break;
            case Step::exits:
                tell(HappeningKind::leave, here, thread.number);
                change_to(here, m_dispatcher.exit({here}));
                return;
            }
        }
    }
    /// One operation, the next one to be executed afterwards; work is done when it has been done.
    Step step(u32 here, Thread& thread) {
        Operation const& operation = m_workload.operations[thread.place];
        switch (operation.kind) {
        case OperationKind::run:
        case OperationKind::runtime:
            thread.is_time = operation.kind == OperationKind::runtime;
            thread.work_left = static_cast<u64>(operation.amount) * 1024;
            if (thread.work_left > 0) {
                return Step::computes;
            }
            break;
        case OperationKind::begin:
            thread.rounds[operation.level] = operation.amount;
            break;
        case OperationKind::repeat: {
            i64& rounds = thread.rounds[operation.level];
            rounds -= rounds == forever ? 0 : 1;
            if (rounds != 0) {
                thread.place = operation.object;
                return Step::next;
            }
            break;
        }
        case OperationKind::exit:
            return Step::exits;
        case OperationKind::yield:
            ++thread.place;
            return Step::yields;
        default:
            ++thread.place;
            return use(here, thread, operation) ? Step::next : Step::blocks;
        }
        ++thread.place;
        return Step::next;
    }
    /// True if the thread need not sleep.
    bool use(u32 here, Thread& thread, Operation const& operation) {
        u32 const object = operation.object;
        switch (operation.kind) {
        case OperationKind::sleep:
            return sleep_until(thread, m_now + Nanos{operation.amount});
        case OperationKind::until:
            thread.released = Nanos{operation.amount};
            return thread.released <= m_now || sleep_until(thread, thread.released);
        case OperationKind::timer:
            return use_timer(thread, operation);
        case OperationKind::finish:
            end_job(
                thread, operation.amount != 0 && m_now - thread.released > Nanos{operation.amount});
            thread.released = m_now;
            return true;
        case OperationKind::lock:
            return m_meetings.take_mutex(here, thread, object);
        case OperationKind::unlock:
            m_meetings.hand_over(here, thread, object);
            return true;
        case OperationKind::wait:
            return m_meetings.wait_for(here, thread, operation);
        case OperationKind::signal:
            m_meetings.signal(here, thread, object);
            return true;
        case OperationKind::broadcast:
            while (!m_memory.conditions[object].empty()) {
                m_meetings.signal(here, thread, object);
            }
            return true;
        case OperationKind::barrier:
            return m_meetings.meet(here, thread, object);
        case OperationKind::send:
            return m_meetings.send(here, thread, object);
        case OperationKind::receive:
            return m_meetings.receive(here, thread, object);
        case OperationKind::offload: {
            Nanos& busy_until = m_memory.devices[object];
            busy_until = later(std::max(busy_until, m_now), operation.amount);
            return sleep_until(thread, busy_until);
        }
        case OperationKind::schedule:
            thread.wants_scheduling = object;
            change(here, thread, m_memory.parameters[object]);
            m_meetings.inherit(here, thread);
            return true;
        case OperationKind::move:
            if (!m_dispatcher.set_allowed(thread, mask_of(object), {here})) {
                tell(HappeningKind::refuse, here, thread.number);
            }
            return true;
        default:
            UNREACHABLE(); // the workload has been checked
        }
    }
    bool sleep_until(Thread& thread, Nanos at) {
        m_events.set(thread.timer, at);
        return false;
    }
    void end_job(Thread const& thread, bool is_late) {
        tell(
            is_late ? HappeningKind::late : HappeningKind::job, thread.cpu().value, thread.number,
            nobody, (m_now - thread.released).value);
    }
    /// A timer that has gone off before its job was done does not let the thread sleep.
    bool use_timer(Thread& thread, Operation const& operation) {
        LabTimer& timer = m_memory.timers[operation.object];
        if (!timer.is_started) {
            timer = {.next = thread.started, .is_started = true};
        }
        timer.next = later(timer.next, operation.amount);
        end_job(thread, m_now > timer.next);
        if (m_now < timer.next) {
            return sleep_until(thread, timer.next);
        }
        if (operation.mode == TimerMode::relative) {
            timer.next = m_now;
        }
        thread.released = timer.next;
        return true;
    }
    void change(u32 here, Thread& thread, typename P::Parameters const& parameters) {
        if (!m_dispatcher.change(thread, parameters, {here})) {
            tell(HappeningKind::refuse, here, thread.number);
        }
    }

    void wake(Thread& thread, u32 here, u32 by) {
        CHECK(thread.is_blocked);
        thread.is_blocked = false;
        thread.released = m_now;
        tell(HappeningKind::wake, here, thread.number, by);
        m_dispatcher.unpark(thread, {here});
    }

    // ---- the end ----

    /// All threads leave the dispatcher, whatever they are doing.
    void tear_down() {
        m_is_over = true;
        for (Thread& thread : m_memory.threads) {
            m_events.drop(thread.timer);
        }
        m_meetings.clear();
        for (u32 here = 0; here < m_memory.cpus.size(); ++here) {
            m_events.drop(m_memory.cpus[here].done);
            empty(here);
        }
        // Those that may not run yet, without a budget, have alarms set for them.
        while (EventSource* const source = m_events.first()) {
            m_now = source->at;
            m_events.drop(*source);
            m_dispatcher.attend({source->number});
            empty(source->number);
        }
        for (Thread& thread : m_memory.threads) {
            if (thread.state() == sched::TaskState::asleep) {
                m_dispatcher.expel(thread);
            }
        }
    }
    /// Whoever is to run here goes, one after another.
    void empty(u32 here) {
        LabCpu<P>& cpu = m_memory.cpus[here];
        auto* next = m_dispatcher.preempt({here});
        while (true) {
            if (next != nullptr) {
                cpu.current = static_cast<Thread*>(next);
                m_dispatcher.finish({here});
            }
            if (cpu.current == &cpu.idle) {
                return;
            }
            next = m_dispatcher.exit({here});
        }
    }

    Workload const& m_workload;
    EngineOptions<P> const& m_options;
    EngineMemory<P> m_memory;
    O& m_observer;
    Meetings<P, Engine> m_meetings;
    EventQueue m_events;
    Nanos m_now{};
    u32 m_refused = nobody;
    u64 m_steps = 0; ///< operations at this instant
    bool m_is_stuck = false;
    bool m_is_over = false; ///< nobody is told any more
    World m_world;
    sched::Dispatcher<P, World> m_dispatcher;
};

} // namespace twofold::lab
