// The dispatcher's class. What it does, and why, stands in dispatcher.hpp.
#pragma once

#include "core/sched/dispatcher_world.hpp"

#include <algorithm>
#include <span>

namespace twofold::sched {

/// Whether a policy's parameters hold a guarantee that only the queue that gave it can keep.
template<class P>
constexpr bool is_bound_to_queue(typename P::Parameters const& parameters) {
    if constexpr (requires { P::is_bound_to_queue(parameters); }) {
        return P::is_bound_to_queue(parameters);
    } else {
        return false;
    }
}

template<Policy P, class World>
class Dispatcher {
public:
    using Task = Schedulable<P>;
    using Queue = RunQueue<P, World>;
    using Parameters = typename P::Parameters;

    /// How often a processor looks whether others have less to do.
    static constexpr Nanos balance_interval{4'000'000};
    /// How long somebody has waited before another node may take it.
    static constexpr Nanos node_patience{200'000};
    /// How often it is looked at whether who runs alone on a slow processor wants a faster one.
    static constexpr Nanos misfit_interval{8'000'000};
    /// The most members of a queue that are looked at for one to move.
    static constexpr u32 looks_max = 64;

    /// `queues`: room for as many processors as there will be.
    Dispatcher(World& world, std::span<Queue*> queues) : m_world(world), m_queues(queues) {}
    Dispatcher(Dispatcher const&) = delete;
    Dispatcher& operator=(Dispatcher const&) = delete;

    /// A processor joins; it runs `idle`, which nobody else knows. Once, on itself or before it
    /// runs. Queues are added one at a time, in the order of their numbers or not.
    void add(Queue& queue, CpuId cpu, CpuPlace place, Task& idle) {
        CHECK(cpu.value < m_queues.size() && m_queues[cpu.value] == nullptr);
        queue.cpu = cpu;
        queue.place = place;
        queue.idle = queue.current = &idle;
        queue.charged_until = m_world.now(cpu);
        idle.m_cpu.store(cpu.value, relaxed);
        idle.m_state.store(TaskState::running, relaxed);
        m_queues[cpu.value] = &queue;
        m_idle.add(cpu);
        m_known.add(cpu);
        m_count.fetch_add(1, release);
        u32 before = m_capacity_max.load(relaxed);
        while (place.capacity > before &&
               !m_capacity_max.compare_exchange(before, place.capacity, relaxed, relaxed)) {
        }
    }

    /// absent -> asleep, on one of the processors that it may use; where a guarantee is asked for
    /// on the first that can give it. Errors: those of the policy; invalid_argument (it may use no
    /// processor that there is). O(processors squared).
    Result<void> admit(Task& task, Parameters const& parameters, CpuMask const& allowed) {
        CHECK(task.state() == TaskState::absent);
        TRY(P::check(parameters));
        CpuMask left = allowed & m_known.look();
        if (left.empty()) {
            return Error::invalid_argument;
        }
        Result<void> outcome = Error::no_space;
        while (!left.empty()) {
            Queue& queue = shortest(left);
            left.remove(queue.cpu);
            outcome = admit_to(queue, task, parameters, allowed);
            if (outcome || outcome.error() != Error::no_space) {
                return outcome;
            }
        }
        return outcome;
    }
    /// asleep -> absent.
    void expel(Task& task) {
        Queue& queue = lock_of(task);
        CHECK(task.state() == TaskState::asleep);
        take_out(queue, task, m_world.now(queue.cpu));
        task.m_state.store(TaskState::absent, relaxed);
        queue.lock.unlock();
    }

    /// Wakes a task, or sees to it that it does not sleep the next time it wants to. Nothing where
    /// it has exited.
    void unpark(Task& task, CpuId here) {
        Queue& queue = lock_of(task);
        if (task.state() != TaskState::asleep) {
            task.m_has_permit =
                task.state() != TaskState::absent && !mutant(Mutant::schedule_permit_lost);
            queue.lock.unlock();
            return;
        }
        ++task.m_counts.wakes;
        wake(queue, task, here);
    }

    // Each of the following leads from the task that runs `here` to the next. Null: the same one
    // goes on. Else the caller switches to what is returned, and whoever runs then calls `finish`,
    // on the processor where that is; in between the lock is held.

    /// The current task sleeps until it is woken, unless it was meanwhile.
    Task* park(CpuId here) {
        Queue& queue = lock(here);
        Task& task = *queue.current;
        CHECK(&task != queue.idle);
        if (task.m_has_permit) {
            task.m_has_permit = false;
            queue.lock.unlock();
            return nullptr;
        }
        Nanos const now = account(queue);
        queue.queue.sleep(now);
        fall_asleep(queue, task, now);
        return choose(queue, now);
    }
    /// It lets others go first.
    Task* yield(CpuId here) {
        Queue& queue = lock(here);
        Task& task = *queue.current;
        if (&task == queue.idle || queue.queue.runnable() == 1) {
            queue.lock.unlock();
            return nullptr;
        }
        Nanos const now = account(queue);
        if (!task.m_allowed.has(here) || is_exhausted(task, now)) {
            stop(queue, task, now);
            return choose(queue, now);
        }
        queue.queue.yield(now);
        set_state(task, TaskState::waiting, now);
        return choose(queue, now);
    }
    /// Its slice is over, somebody else goes first, or it has to go elsewhere.
    Task* preempt(CpuId here) {
        Queue& queue = lock(here);
        Task& task = *queue.current;
        Nanos const now = account(queue);
        if (&task != queue.idle) {
            stop(queue, task, now);
        }
        return choose(queue, now);
    }
    /// It is gone: running -> absent. Its memory is needed until `finish` has been called.
    Task* exit(CpuId here) {
        Queue& queue = lock(here);
        Task& task = *queue.current;
        CHECK(&task != queue.idle);
        Nanos const now = account(queue);
        queue.queue.sleep(now);
        queue.load.fetch_sub(1, relaxed);
        take_out(queue, task, now);
        set_state(task, TaskState::absent, now);
        return choose(queue, now);
    }
    void finish(CpuId here) {
        Queue& queue = of(here);
        Task* const leaver = std::exchange(queue.leaver, nullptr);
        queue.lock.unlock();
        if (leaver != nullptr) {
            join(leaver->cpu(), *leaver, here);
        }
    }

    /// The alarm has gone off, or another processor has kicked this one. True where `preempt` is
    /// to be called as soon as that is possible.
    bool attend(CpuId here) {
        Queue& queue = lock(here);
        queue.kicked.store(0, relaxed);
        Nanos const now = account(queue);
        ++queue.counts.attentions;
        if (queue.armed_for <= now) {
            queue.armed_for = never;
        }
        Task* const due = take_unthrottled(queue, now);
        if (slice_is_over(queue, now) || wants_faster(queue)) {
            queue.wants_reschedule.store(1, relaxed);
        }
        set_alarm(queue, now);
        if (due != nullptr) {
            wake(queue, *due, here); // others have ended their windows, too: the alarm is set
            return wants_reschedule(here);
        }
        Task* const surplus = take_surplus(queue, now);
        queue.lock.unlock();
        if (surplus != nullptr) {
            join(surplus->cpu(), *surplus, here);
        }
        return wants_reschedule(here);
    }
    bool wants_reschedule(CpuId here) const { return of(here).wants_reschedule.load(relaxed) != 0; }

    /// On an idle processor, by its idle task: brings somebody here that waits elsewhere. True
    /// where `preempt` is worth while; who waits here and may not run yet is no reason.
    /// O(processors).
    bool steal(CpuId here) {
        Queue& queue = of(here);
        if (wants_reschedule(here)) {
            return true;
        }
        CpuMask others = m_known.look();
        others.remove(here);
        if (others.empty()) {
            return false;
        }
        Nanos retry = never;
        for (bool const is_near : {true, false}) {
            if (Queue* const longest = longest_queue(others, queue, is_near)) {
                if (Task* const task = take_coldest(*longest, queue, is_near, retry)) {
                    ++queue.counts.stolen;
                    join(here, *task, here);
                    return true;
                }
            }
        }
        relieve_slower(others, queue);
        if (retry != never) {
            queue.lock.lock();
            arm_for(queue, retry);
            queue.lock.unlock();
        }
        return false;
    }

    /// Other parameters, perhaps of another class. Errors: those of the policy, then nothing has
    /// changed; invalid_state (it has exited).
    Result<void> change(Task& task, Parameters const& parameters, CpuId here) {
        Queue& queue = *TRY(lock_of_settled(task));
        Nanos const now = account(queue);
        auto const outcome = queue.queue.change(task, parameters, now);
        if (outcome) {
            task.m_parameters = parameters;
            if (task.state() == TaskState::waiting) {
                consider(queue, task, now, here);
            } else if (task.state() == TaskState::running) {
                ask_reschedule(queue, here);
            }
        }
        queue.lock.unlock();
        return outcome;
    }
    /// It runs on these processors from now on. Errors: invalid_argument (there is none of them),
    /// invalid_state (its guarantee holds on another one, or it has exited).
    Result<void> set_allowed(Task& task, CpuMask const& allowed, CpuId here) {
        if ((allowed & m_known.look()).empty()) {
            return Error::invalid_argument;
        }
        Queue& queue = *TRY(lock_of_settled(task));
        bool const must_go = !allowed.has(queue.cpu);
        if (must_go && is_bound_to_queue<P>(task.m_parameters)) {
            queue.lock.unlock();
            return Error::invalid_state;
        }
        task.m_allowed = allowed;
        if (must_go && task.state() == TaskState::waiting) {
            Nanos const now = m_world.now(here);
            take_waiting(queue, task, now, place_for(task, queue));
            queue.lock.unlock();
            join(task.cpu(), task, here);
            return {};
        }
        if (must_go && task.state() == TaskState::running) {
            ask_reschedule(queue, here);
        }
        queue.lock.unlock();
        return {};
    }
    /// Errors: out_of_range.
    Result<void> set_limit(Task& task, BandwidthLimit const& limit, CpuId here) {
        if (!limit.is_sound()) {
            return Error::out_of_range;
        }
        Queue& queue = lock_of(task);
        task.m_limit = limit;
        task.m_budget = limit.quota;
        task.m_window_end = m_world.now(here) + limit.period;
        if (task.state() == TaskState::running) {
            ask_reschedule(queue, here);
        }
        queue.lock.unlock();
        return {};
    }

    /// What runs on a processor; of the moment.
    Task* current(CpuId cpu) const { return of(cpu).current; }
    Queue& of(CpuId cpu) const {
        CHECK(cpu.value < m_queues.size() && m_queues[cpu.value] != nullptr);
        return *m_queues[cpu.value];
    }
    u32 count() const { return m_count.load(acquire); }
    CpuMask idle() const { return m_idle.look(); }
    /// The processors that run; their numbers may have gaps.
    CpuMask known() const { return m_known.look(); }
    /// The books of a task that has been admitted, or runs idle, up to now.
    TaskCounts counts(Task const& task) {
        Queue& queue = lock_of(task);
        return settle(queue, task.m_counts);
    }
    /// Those of a processor.
    CpuCounts counts(CpuId cpu) {
        Queue& queue = lock(cpu);
        return settle(queue, queue.counts);
    }

private:
    using Kind = DispatchEventKind;

    // ---- locks ----

    Queue& lock(CpuId cpu) const {
        Queue& queue = of(cpu);
        queue.lock.lock();
        return queue;
    }
    /// The queue that a task is placed in, locked. Only who holds the lock moves it away.
    Queue& lock_of(Task const& task) const {
        while (true) {
            u32 const cpu = task.m_cpu.load(acquire);
            Queue& queue = lock({cpu});
            if (task.m_cpu.load(relaxed) == cpu) {
                return queue;
            }
            queue.lock.unlock();
        }
    }
    /// The same, when it is not on its way. Errors: invalid_state (it has exited).
    Result<Queue*> lock_of_settled(Task const& task) {
        while (true) {
            Queue& queue = lock_of(task);
            if (task.state() != TaskState::moving && task.state() != TaskState::absent) {
                return &queue;
            }
            queue.lock.unlock();
            if (task.state() == TaskState::absent) {
                return Error::invalid_state;
            }
            m_world.relax();
        }
    }

    // ---- books ----

    void note(Kind kind, Queue const& queue, Task const* task, Nanos now) {
        if constexpr (requires(DispatchEvent<P> const& event) { m_world.note(event); }) {
            m_world.note(DispatchEvent<P>{kind, queue.cpu, now, task, queue.queue.violation()});
        }
    }
    static void set_state(Task& task, TaskState state, Nanos now) {
        task.m_state.store(state, relaxed);
        task.m_since = now;
    }
    /// Charges who runs with the time since the last call, and returns the time.
    Nanos account(Queue& queue) {
        Nanos const now = std::max(m_world.now(queue.cpu), queue.charged_until);
        Nanos const used = now - queue.charged_until;
        queue.charged_until = now;
        Task& task = *queue.current;
        if (&task == queue.idle) {
            queue.counts.idle = queue.counts.idle + used;
            return now;
        }
        task.m_counts.ran = task.m_counts.ran + used;
        if (task.m_limit.is_set()) {
            task.m_budget = task.m_budget - used;
        }
        queue.queue.charge(used, now);
        return now;
    }
    /// Brings the books up to now, and gives the lock back.
    template<class Counts>
    Counts settle(Queue& queue, Counts const& counts) {
        account(queue);
        Counts const settled = counts;
        queue.lock.unlock();
        return settled;
    }
    /// Part of the last turn of sleeping and running that it ran, as a mean of the last few.
    static void note_utilisation(Task& task, Nanos now) {
        Nanos const turn = now - task.m_slept_at;
        Nanos const ran = task.m_counts.ran - task.m_ran_at_sleep;
        task.m_slept_at = now;
        task.m_ran_at_sleep = task.m_counts.ran;
        if (turn > Nanos{}) {
            auto const part = static_cast<u32>(ran.value * 1024 / turn.value);
            task.m_utilisation = (task.m_utilisation * 3 + std::min(part, 1024u)) / 4;
        }
    }
    static u32 need_of(Task const& task) {
        bool const runs_long = task.m_counts.ran - task.m_ran_at_sleep >= misfit_interval;
        return runs_long ? 1024 : task.m_utilisation * 5 / 4;
    }
    void report(Queue& queue, Nanos now) {
        if (queue.queue.violation() != Violation::none && !queue.has_told) [[unlikely]] {
            queue.has_told = true;
            note(Kind::violation, queue, queue.current, now);
        }
    }

    // ---- leaving the processor ----
    void fall_asleep(Queue& queue, Task& task, Nanos now);
    /// The current task, which could run on, gives up its processor.
    void stop(Queue& queue, Task& task, Nanos now);
    /// Where the current task has to go on.
    CpuId goes_to(Queue const& queue, Task const& task) const;

    // ---- who is next ----
    /// Takes the next task, and gives the lock back where it is the same one.
    Task* choose(Queue& queue, Nanos now);
    void note_misfit(Queue& queue, Task const& task) const;
    bool slice_is_over(Queue const& queue, Nanos now) const;
    bool wants_faster(Queue& queue) const;
    /// Sets the alarm for the first thing that may have to be done here.
    void set_alarm(Queue& queue, Nanos now);
    /// An earlier alarm stays: when it comes, the next is set.
    void arm_for(Queue& queue, Nanos at);

    // ---- bandwidth ----
    static bool is_exhausted(Task const& task, Nanos now);
    static void open_window(Task& task, Nanos now);
    /// It waits for its next window. O(throttled tasks of this processor).
    void throttle(Queue& queue, Task& task, Nanos now);
    /// One whose window has ended, asleep.
    Task* take_unthrottled(Queue& queue, Nanos now);

    // ---- waking and moving ----
    Result<void>
    admit_to(Queue& queue, Task& task, Parameters const& parameters, CpuMask const& allowed);
    /// asleep -> waiting, on the processor that suits it. Gives the lock back.
    void wake(Queue& queue, Task& task, CpuId here);
    /// A task of this queue that sleeps begins to wait.
    void enter(Queue& queue, Task& task, Nanos now, CpuId here);
    /// Whether who begins to wait should run at once. The current task has been charged.
    void consider(Queue& queue, Task& task, Nanos now, CpuId here);
    void ask_reschedule(Queue& queue, CpuId here);
    /// Sees to it that the slice of who runs ends, now that somebody else waits.
    void ask_alarm(Queue& queue, Nanos now, CpuId here);
    void kick(Queue& queue);
    /// A task that sleeps or is gone leaves its queue. The lock is held.
    static void take_out(Queue& queue, Task& task, Nanos now);
    /// The same for one that waits.
    static void take_waiting(Queue& queue, Task& task, Nanos now, CpuId target);
    static void send_to(Task& task, CpuId target, Nanos now);
    /// A task on its way arrives, and waits there.
    void join(CpuId target, Task& task, CpuId here);

    // ---- where to ----
    u64 scaled_load(Queue const& queue) const;
    Queue& shortest(CpuMask const& among) const;
    bool is_fast_enough(Queue const& queue, Task const& task) const;
    /// Where a task that wakes is to wait; it is placed in `last` now.
    CpuId place_for(Task const& task, Queue const& last) const;
    /// Of the idle processors that are fast enough the slowest, which needs the least energy; of
    /// those the first, those of the node before others.
    Queue const* slowest_idle(CpuMask const& allowed, Task const& task, Queue const& last) const;
    bool may_go_faster(Queue const& queue, Task const& task) const;
    /// A faster processor that has nothing to do, or this one.
    CpuId faster_idle(Queue const& queue, Task const& task) const;
    /// Of the queues where somebody waits behind who runs the longest, in this node or elsewhere.
    Queue* longest_queue(CpuMask const& others, Queue const& thief, bool is_near) const;
    bool may_move(Task const& task, CpuId to) const;
    /// Of the first members of a queue the one that has waited the longest and may go to `to`.
    Task* coldest(Queue& queue, CpuId to) const;
    Task* take_coldest(Queue& from, Queue const& thief, bool is_near, Nanos& retry);
    /// Somebody that waits here and had better wait where less is to be done; it is on its way.
    Task* take_surplus(Queue& queue, Nanos now);
    /// Has a slower processor hand over who runs there and wants a faster one. Each is asked once;
    /// after that it looks itself now and then.
    void relieve_slower(CpuMask const& others, Queue const& queue);

    World& m_world;
    std::span<Queue*> m_queues;
    AtomicCpuMask m_idle;
    AtomicCpuMask m_known;
    Atomic<u32> m_count{0};
    Atomic<u32> m_capacity_max{0};
};

} // namespace twofold::sched
