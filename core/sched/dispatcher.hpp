// The dispatcher: who runs on which processor, and when that is looked at again. It carries out
// what policies answer (checked_queue.hpp), for all processors; each has a run queue with a lock of
// its own, and no two of these are held at once.
//
// It knows no machine. A `World` gives it locks, the time, an alarm for each processor and a way to
// make another one look; the kernel's is core/task, the laboratory's a simulated machine. The same
// header runs in both.
//
// The life of a wake-up. `unpark` takes the lock of the sleeper's run queue and chooses a processor
// (below). Where that is another one the sleeper leaves its queue, belongs to nobody for a moment,
// and joins the other. If it should run instead of who runs there, that processor is kicked; it
// calls `attend`, and then `preempt`. A thread that parks, and one that unparks it, meet under the
// lock: either the sleeper sees the permit, or the waker sees a sleeper. The lock is held while the
// processor goes from one thread to the next and given back by `finish`, so nobody can wake a
// thread, and run it elsewhere, before all of it is off its processor.
//
// Where somebody goes that wakes: to its last processor if that is idle; else to an idle one of the
// same node, the least that is fast enough; else to an idle one elsewhere; else it stays, unless
// its queue is longer by two than the shortest of its node. Idle processors take whoever has waited
// longest (and so is coldest) from the longest queue of their node, then of others if they have
// waited for a while. A processor with a longer queue gives away what waits, every few
// milliseconds. What has a guarantee on its processor stays there.
//
// No periodic tick: an alarm is set only where a slice can end for somebody else, and it is not set
// anew for each slice; one that comes too early sets the next.
//
// All calls are made on the processor `here`, with interrupts off. O(cost of the policy) unless
// said otherwise.
#pragma once

#include "core/sched/run_queue.hpp"

#include <algorithm>
#include <span>

namespace twofold::sched {

enum class DispatchEventKind : u8 { run, wake, migrate, throttle, violation };

/// What a world may look at. `run`: from here on `task` runs on `cpu`, null: nobody.
template<Policy P>
struct DispatchEvent {
    DispatchEventKind kind;
    CpuId cpu;
    Nanos now;
    Schedulable<P> const* task = nullptr;
    Violation violation = Violation::none;
};

template<class W>
concept World = requires(W& world, typename W::Lock& lock, CpuId here, Nanos at) {
    lock.lock();
    lock.unlock();
    /// The time that is charged; never goes back on one processor.
    { world.now(here) } -> std::same_as<Nanos>;
    /// `attend(here)` is to be called at `at`, instead of when it was asked for before.
    { world.arm(here, at) } -> std::same_as<void>;
    /// `attend(cpu)` is to be called on another processor, as soon as possible.
    { world.kick(here) } -> std::same_as<void>;
    /// One turn of a wait for another processor.
    { world.relax() } -> std::same_as<void>;
};

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

    /// Wakes a task, or sees to it that it does not sleep the next time it wants to.
    void unpark(Task& task, CpuId here) {
        Queue& queue = lock_of(task);
        CHECK(task.state() != TaskState::absent);
        if (task.state() != TaskState::asleep) {
            task.m_has_permit = true;
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
    /// where `preempt` is worth while. O(processors).
    bool steal(CpuId here) {
        Queue& queue = of(here);
        if (queue.load.load(relaxed) != 0) {
            return true;
        }
        Nanos retry = never;
        for (bool const is_near : {true, false}) {
            if (Queue* const longest = longest_queue(queue, is_near)) {
                if (Task* const task = take_coldest(*longest, queue, is_near, retry)) {
                    ++queue.counts.stolen;
                    join(here, *task, here);
                    return true;
                }
            }
        }
        relieve_slower(queue);
        if (retry != never) {
            queue.lock.lock();
            arm_for(queue, retry);
            queue.lock.unlock();
        }
        return false;
    }

    /// Other parameters, perhaps of another class. Errors: those of the policy; then nothing has
    /// changed.
    Result<void> change(Task& task, Parameters const& parameters, CpuId here) {
        Queue& queue = lock_of_settled(task);
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
    /// invalid_state (its guarantee holds on another one).
    Result<void> set_allowed(Task& task, CpuMask const& allowed, CpuId here) {
        if ((allowed & m_known.look()).empty()) {
            return Error::invalid_argument;
        }
        Queue& queue = lock_of_settled(task);
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
    /// Brings the books of a processor up to now, so that its counts can be read.
    void settle(CpuId cpu) {
        Queue& queue = lock(cpu);
        account(queue);
        queue.lock.unlock();
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
    /// The same, when it is not on its way.
    Queue& lock_of_settled(Task const& task) {
        while (true) {
            Queue& queue = lock_of(task);
            if (task.state() != TaskState::moving) {
                CHECK(task.state() != TaskState::absent);
                return queue;
            }
            queue.lock.unlock();
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

    void fall_asleep(Queue& queue, Task& task, Nanos now) {
        queue.load.fetch_sub(1, relaxed);
        note_utilisation(task, now);
        set_state(task, TaskState::asleep, now);
    }
    /// The current task, which could run on, gives up its processor.
    void stop(Queue& queue, Task& task, Nanos now) {
        ++task.m_counts.preemptions;
        if (is_exhausted(task, now)) {
            queue.queue.sleep(now);
            throttle(queue, task, now);
            return;
        }
        CpuId const target = goes_to(queue, task);
        if (target != queue.cpu) {
            queue.queue.sleep(now);
            queue.load.fetch_sub(1, relaxed);
            take_out(queue, task, now);
            send_to(task, target, now);
            queue.leaver = &task;
            return;
        }
        queue.queue.put_back(now);
        set_state(task, TaskState::waiting, now);
    }
    /// Where the current task has to go on.
    CpuId goes_to(Queue const& queue, Task const& task) const {
        if (!task.m_allowed.has(queue.cpu)) {
            return place_for(task, queue);
        }
        if (queue.misfit.load(relaxed) != Misfit::none) {
            return faster_idle(queue, task);
        }
        return queue.cpu;
    }

    // ---- who is next ----

    /// Takes the next task, and gives the lock back where it is the same one.
    Task* choose(Queue& queue, Nanos now) {
        auto const choice = queue.queue.pick(now);
        report(queue, now);
        Task& next = choice.entity != nullptr ? static_cast<Task&>(*choice.entity) : *queue.idle;
        queue.slice_is_hard = choice.is_hard || choice.entity == nullptr;
        queue.slice_end = choice.slice >= never - now ? never : now + choice.slice;
        if (next.m_limit.is_set()) {
            open_window(next, now);
            queue.slice_end = std::min(queue.slice_end, now + next.m_budget);
            queue.slice_is_hard = true;
        }
        if (next.state() == TaskState::waiting) {
            Nanos const waited = now - next.m_since;
            next.m_counts.waited = next.m_counts.waited + waited;
            next.m_counts.waited_max = std::max(next.m_counts.waited_max, waited);
        }
        queue.wants_reschedule.store(0, relaxed);
        Task* const before = queue.current;
        set_state(next, TaskState::running, now);
        queue.misfit.store(Misfit::none, relaxed);
        note_misfit(queue, next);
        queue.current = &next;
        set_alarm(queue, now);
        if (&next == before) {
            queue.lock.unlock();
            return nullptr;
        }
        if (before == queue.idle) {
            m_idle.remove(queue.cpu);
            set_state(*before, TaskState::waiting, now);
        } else if (&next == queue.idle) {
            m_idle.add(queue.cpu);
        }
        ++queue.counts.switches;
        ++next.m_counts.switches;
        note(Kind::run, queue, &next == queue.idle ? nullptr : &next, now);
        return &next;
    }
    void note_misfit(Queue& queue, Task const& task) const {
        if (queue.place.capacity < m_capacity_max.load(relaxed)) [[unlikely]] {
            bool const fits = &task == queue.idle || need_of(task) <= queue.place.capacity ||
                              !may_go_faster(queue, task);
            if (fits) {
                queue.misfit.store(Misfit::none, relaxed);
            } else if (queue.misfit.load(relaxed) == Misfit::none) {
                queue.misfit.store(Misfit::wants, relaxed);
            }
        }
    }
    bool slice_is_over(Queue const& queue, Nanos now) const {
        bool const has_others = queue.queue.runnable() > (queue.current == queue.idle ? 0u : 1u);
        return now >= queue.slice_end && (queue.slice_is_hard || has_others);
    }
    bool wants_faster(Queue& queue) const {
        if (queue.current == queue.idle) {
            return false;
        }
        note_misfit(queue, *queue.current);
        return queue.misfit.load(relaxed) != Misfit::none &&
               faster_idle(queue, *queue.current) != queue.cpu;
    }
    /// Sets the alarm for the first thing that may have to be done here.
    void set_alarm(Queue& queue, Nanos now) {
        if (queue.wants_reschedule.load(relaxed) != 0) {
            return; // then it is set
        }
        bool const has_others = queue.queue.runnable() > (queue.current == queue.idle ? 0u : 1u);
        Nanos at = queue.slice_is_hard || has_others ? queue.slice_end : never;
        if (!queue.throttled.empty()) {
            at = std::min(at, queue.throttled.front().m_window_end);
        }
        if (queue.place.capacity < m_capacity_max.load(relaxed) && queue.current != queue.idle)
            [[unlikely]] {
            at = std::min(at, now + misfit_interval);
        }
        arm_for(queue, at);
    }
    /// An earlier alarm stays: when it comes, the next is set.
    void arm_for(Queue& queue, Nanos at) {
        if (at < queue.armed_for) {
            queue.armed_for = at;
            m_world.arm(queue.cpu, at);
        }
    }

    // ---- bandwidth ----

    static bool is_exhausted(Task const& task, Nanos now) {
        return task.m_limit.is_set() && task.m_budget <= Nanos{} && now < task.m_window_end;
    }
    static void open_window(Task& task, Nanos now) {
        if (now >= task.m_window_end) {
            task.m_budget = std::min(task.m_budget, Nanos{}) + task.m_limit.quota;
            task.m_window_end = now + task.m_limit.period;
        }
    }
    /// It waits for its next window. O(throttled tasks of this processor).
    void throttle(Queue& queue, Task& task, Nanos now) {
        queue.load.fetch_sub(1, relaxed);
        ++task.m_counts.throttles;
        set_state(task, TaskState::throttled, now);
        for (Task& other : queue.throttled) {
            if (other.m_window_end > task.m_window_end) {
                queue.throttled.insert_before(other, task);
                note(Kind::throttle, queue, &task, now);
                return;
            }
        }
        queue.throttled.push_back(task);
        note(Kind::throttle, queue, &task, now);
    }
    /// One whose window has ended, asleep.
    Task* take_unthrottled(Queue& queue, Nanos now) {
        if (queue.throttled.empty() || queue.throttled.front().m_window_end > now) {
            return nullptr;
        }
        Task& task = queue.throttled.pop_front();
        set_state(task, TaskState::asleep, now);
        return &task;
    }

    // ---- waking and moving ----

    Result<void>
    admit_to(Queue& queue, Task& task, Parameters const& parameters, CpuMask const& allowed) {
        queue.lock.lock();
        Nanos const now = account(queue);
        auto const outcome = queue.queue.admit(task, parameters, now);
        if (outcome) {
            task.m_parameters = parameters;
            task.m_allowed = allowed;
            task.m_slept_at = now;
            task.m_cpu.store(queue.cpu.value, release);
            queue.members.push_back(task);
            set_state(task, TaskState::asleep, now);
        }
        queue.lock.unlock();
        return outcome;
    }
    /// asleep -> waiting, on the processor that suits it. Gives the lock back.
    void wake(Queue& queue, Task& task, CpuId here) {
        CpuId const target = place_for(task, queue);
        if (target == queue.cpu) {
            Nanos const now = account(queue);
            enter(queue, task, now, here);
            queue.lock.unlock();
            return;
        }
        Nanos const now = account(queue);
        take_out(queue, task, now);
        send_to(task, target, now);
        queue.lock.unlock();
        join(target, task, here);
    }
    /// A task of this queue that sleeps begins to wait.
    void enter(Queue& queue, Task& task, Nanos now, CpuId here) {
        if (task.m_limit.is_set()) {
            open_window(task, now);
            if (task.m_budget <= Nanos{}) {
                queue.load.fetch_add(1, relaxed);
                throttle(queue, task, now);
                ask_alarm(queue, now, here);
                return;
            }
        }
        queue.queue.wake(task, now);
        queue.load.fetch_add(1, relaxed);
        set_state(task, TaskState::waiting, now);
        note(Kind::wake, queue, &task, now);
        consider(queue, task, now, here);
    }
    /// Whether who begins to wait should run at once. The current task has been charged.
    void consider(Queue& queue, Task& task, Nanos now, CpuId here) {
        bool is_next = queue.current == queue.idle || queue.queue.preempts(task, now);
        if (mutant(Mutant::schedule_preempts)) {
            is_next = queue.current == queue.idle;
        }
        if (is_next) {
            ask_reschedule(queue, here);
        } else {
            ask_alarm(queue, now, here);
        }
    }
    void ask_reschedule(Queue& queue, CpuId here) {
        queue.wants_reschedule.store(1, relaxed);
        if (queue.cpu != here) {
            kick(queue);
        }
    }
    /// Sees to it that the slice of who runs ends, now that somebody else waits.
    void ask_alarm(Queue& queue, Nanos now, CpuId here) {
        if (queue.cpu == here) {
            set_alarm(queue, now);
        } else if (queue.slice_end < queue.armed_for || !queue.throttled.empty()) {
            kick(queue);
        }
    }
    void kick(Queue& queue) {
        if (queue.kicked.exchange(1, relaxed) == 0) {
            m_world.kick(queue.cpu);
        }
    }
    /// A task that sleeps or is gone leaves its queue. The lock is held.
    static void take_out(Queue& queue, Task& task, Nanos now) {
        queue.queue.expel(task, now);
        queue.members.remove(task);
    }
    /// The same for one that waits.
    static void take_waiting(Queue& queue, Task& task, Nanos now, CpuId target) {
        queue.queue.cancel(task, now);
        queue.load.fetch_sub(1, relaxed);
        take_out(queue, task, now);
        send_to(task, target, now);
    }
    static void send_to(Task& task, CpuId target, Nanos now) {
        set_state(task, TaskState::moving, now);
        ++task.m_counts.migrations;
        task.m_cpu.store(target.value, release);
    }
    /// A task on its way arrives, and waits there.
    void join(CpuId target, Task& task, CpuId here) {
        Queue& queue = lock(target);
        Nanos const now = account(queue);
        CHECK(task.state() == TaskState::moving);
        // What asks for no guarantee is not refused, and its parameters have been checked.
        CHECK(queue.queue.admit(task, task.m_parameters, now).has_value());
        queue.members.push_back(task);
        note(Kind::migrate, queue, &task, now);
        enter(queue, task, now, here);
        queue.lock.unlock();
    }

    // ---- where to ----

    u64 scaled_load(Queue const& queue) const {
        return u64{queue.load.load(relaxed)} * CpuPlace::capacity_full / queue.place.capacity;
    }
    Queue& shortest(CpuMask const& among) const {
        Queue* best = nullptr;
        among.for_each([&](CpuId cpu) {
            Queue& queue = of(cpu);
            if (best == nullptr || scaled_load(queue) < scaled_load(*best)) {
                best = &queue;
            }
            return true;
        });
        CHECK(best != nullptr);
        return *best;
    }
    bool is_fast_enough(Queue const& queue, Task const& task) const {
        u32 const capacity = queue.place.capacity;
        return capacity >= m_capacity_max.load(relaxed) || need_of(task) <= capacity;
    }
    /// Where a task that wakes is to wait; it is placed in `last` now.
    CpuId place_for(Task const& task, Queue const& last) const {
        bool const may_stay = task.m_allowed.has(last.cpu);
        if (may_stay && (count() == 1 || is_bound_to_queue<P>(task.m_parameters))) {
            return last.cpu;
        }
        if (may_stay && last.load.load(relaxed) == 0 && is_fast_enough(last, task)) {
            return last.cpu;
        }
        CpuMask const allowed = task.m_allowed & m_known.look();
        if (Queue const* const found = slowest_idle(allowed, task, last)) {
            return found->cpu;
        }
        if (!may_stay) {
            return shortest(allowed).cpu;
        }
        Queue const* best = &last;
        allowed.for_each([&](CpuId cpu) {
            Queue const& queue = of(cpu);
            if (queue.place.node == last.place.node &&
                scaled_load(queue) + 2 <= scaled_load(last) &&
                scaled_load(queue) < scaled_load(*best)) {
                best = &queue;
            }
            return true;
        });
        return best->cpu;
    }
    /// Of the idle processors that are fast enough the slowest, which needs the least energy; of
    /// those the first, those of the node before others.
    Queue const* slowest_idle(CpuMask const& allowed, Task const& task, Queue const& last) const {
        Queue const* best = nullptr;
        (allowed & m_idle.look()).for_each([&](CpuId cpu) {
            Queue const& queue = of(cpu);
            bool const is_near = queue.place.node == last.place.node;
            if (!is_fast_enough(queue, task) || queue.load.load(relaxed) != 0) {
                return true;
            }
            bool const best_is_near = best != nullptr && best->place.node == last.place.node;
            if (best == nullptr || (is_near && !best_is_near) ||
                (is_near == best_is_near && queue.place.capacity < best->place.capacity)) {
                best = &queue;
            }
            return true;
        });
        return best;
    }
    bool may_go_faster(Queue const& queue, Task const& task) const {
        bool may = false;
        (task.m_allowed & m_known.look()).for_each([&](CpuId cpu) {
            may = of(cpu).place.capacity > queue.place.capacity;
            return !may;
        });
        return may && !is_bound_to_queue<P>(task.m_parameters);
    }
    /// A faster processor that has nothing to do, or this one.
    CpuId faster_idle(Queue const& queue, Task const& task) const {
        if (is_bound_to_queue<P>(task.m_parameters)) {
            return queue.cpu;
        }
        Queue const* best = &queue;
        (task.m_allowed & m_idle.look()).for_each([&](CpuId cpu) {
            Queue const& other = of(cpu);
            if (other.load.load(relaxed) == 0 && other.place.capacity > best->place.capacity) {
                best = &other;
            }
            return true;
        });
        return best->cpu;
    }
    /// Of the queues where somebody waits behind who runs the longest, in this node or elsewhere.
    Queue* longest_queue(Queue const& thief, bool is_near) const {
        Queue* best = nullptr;
        m_known.look().for_each([&](CpuId cpu) {
            Queue& queue = of(cpu);
            if (cpu != thief.cpu && (queue.place.node == thief.place.node) == is_near &&
                queue.load.load(relaxed) >= 2 &&
                (best == nullptr || scaled_load(queue) > scaled_load(*best))) {
                best = &queue;
            }
            return true;
        });
        return best;
    }
    bool may_move(Task const& task, CpuId to) const {
        return task.state() == TaskState::waiting && task.m_allowed.has(to) &&
               !is_bound_to_queue<P>(task.m_parameters);
    }
    /// Of the first members of a queue the one that has waited the longest and may go to `to`.
    Task* coldest(Queue& queue, CpuId to) const {
        Task* best = nullptr;
        usize const looks = std::min<usize>(queue.members.size(), looks_max);
        for (usize i = 0; i < looks; ++i) {
            Task& task = queue.members.pop_front();
            queue.members.push_back(task); // the next look begins behind it
            if (may_move(task, to) && (best == nullptr || task.m_since < best->m_since)) {
                best = &task;
            }
        }
        return best;
    }
    Task* take_coldest(Queue& from, Queue const& thief, bool is_near, Nanos& retry) {
        from.lock.lock();
        Nanos const now = account(from);
        Task* const task = coldest(from, thief.cpu);
        bool const is_ready = is_near || task == nullptr || now - task->m_since >= node_patience;
        if (task != nullptr && is_ready) {
            take_waiting(from, *task, now, thief.cpu);
        } else if (task != nullptr) {
            retry = task->m_since + node_patience;
        }
        from.lock.unlock();
        return is_ready ? task : nullptr;
    }
    /// Somebody that waits here and had better wait where less is to be done; it is on its way.
    Task* take_surplus(Queue& queue, Nanos now) {
        if (now < queue.next_balance || queue.load.load(relaxed) < 2) {
            return nullptr;
        }
        queue.next_balance = now + balance_interval;
        Queue const& target = shortest(m_known.look());
        u64 const step = target.place.node == queue.place.node ? 2 : 3;
        if (scaled_load(target) + step > scaled_load(queue)) {
            return nullptr;
        }
        Task* const task = coldest(queue, target.cpu);
        if (task != nullptr) {
            take_waiting(queue, *task, now, target.cpu);
            ++queue.counts.pushed;
        }
        return task;
    }
    /// Has a slower processor hand over who runs there and wants a faster one. Each is asked once;
    /// after that it looks itself now and then.
    void relieve_slower(Queue const& queue) {
        m_known.look().for_each([&](CpuId cpu) {
            Queue& other = of(cpu);
            Misfit wants = Misfit::wants;
            if (other.place.capacity < queue.place.capacity &&
                other.misfit.compare_exchange(wants, Misfit::asked, relaxed, relaxed)) {
                kick(other);
                return false;
            }
            return true;
        });
    }

    World& m_world;
    std::span<Queue*> m_queues;
    AtomicCpuMask m_idle;
    AtomicCpuMask m_known;
    Atomic<u32> m_count{0};
    Atomic<u32> m_capacity_max{0};
};

} // namespace twofold::sched
