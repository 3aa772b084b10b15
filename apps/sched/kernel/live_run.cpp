// Live runs. See live_run.hpp.
#include "apps/sched/kernel/live_run.hpp"

#include "apps/sched/class_parameters.hpp"
#include "hal/clock.hpp"

namespace twofold::lab {

std::string_view live_objection(Workload const& workload) {
    if (workload.tasks.size() > live_tasks_max) {
        return "there are more than 4096 threads";
    }
    for (Cpu const& cpu : workload.cpus) {
        if (cpu.capacity != 1024) {
            return "a processor is slower than others";
        }
    }
    for (Operation const& operation : workload.operations) {
        if (operation.kind == OperationKind::offload) {
            return "the operation 'offload' needs a device";
        }
    }
    for (Queue const& queue : workload.queues) {
        if (queue.capacity == 0) {
            return "a queue has no room for a message";
        }
    }
    return "";
}

Result<memory::Box<LiveRun, LiveRun::Heap>> LiveRun::create(
    Heap& heap, task::Threads& threads, Workload const& workload, std::string_view policy) {
    if (!Classes::class_named(policy)) {
        return Error::not_found;
    }
    auto made = TRY((memory::Box<LiveRun, Heap>::create(heap, heap, threads, workload)));
    TRY(made->make(policy));
    return made;
}

Result<void> LiveRun::make(std::string_view policy) {
    Workload const& workload = m_workload;
    m_all = TRY(HeapObjects<LiveThread>::create(m_heap, workload.tasks.size(), m_heap));
    m_cpus = TRY(HeapObjects<LiveCpu>::create(m_heap, workload.cpus.size()));
    m_mutexes = TRY(HeapObjects<LiveMutex>::create(
        m_heap, workload.mutexes, m_threads.locks(), "mutex of a workload",
        LiveMutex::Unwatched::yes));
    m_conditions = TRY(HeapObjects<LiveCondition>::create(m_heap, workload.conditions, m_threads));
    m_barriers = TRY(HeapObjects<LiveBarrier>::create(m_heap, workload.barriers.size(), m_threads));
    m_queues = TRY(HeapObjects<LiveQueue>::create(m_heap, workload.queues.size(), m_threads));
    m_timers = TRY(HeapObjects<LiveTimer>::create(m_heap, workload.timers));
    m_parameters = TRY(HeapObjects<task::Parameters>::create(m_heap, workload.schedulings.size()));
    for (usize i = 0; i < workload.schedulings.size(); ++i) {
        m_parameters.all()[i] = class_parameters(workload.schedulings[i], policy);
    }
    for (usize i = 0; i < workload.queues.size(); ++i) {
        u32 const most = task::Semaphore<task::KernelThreads>::count_max;
        m_queues.all()[i].places.release(std::min(workload.queues[i].capacity, most)).value();
    }
    for (u32 i = 0; i < workload.tasks.size(); ++i) {
        LiveThread& thread = m_all.all()[i];
        thread.run = this;
        thread.number = i;
        thread.place = workload.tasks[i].program;
    }
    return {};
}

sched::CpuMask LiveRun::mask_of(u32 affinity) const {
    sched::CpuMask mask;
    for (u32 cpu = 0; cpu < m_workload.cpus.size(); ++cpu) {
        if ((m_workload.affinities[affinity] >> cpu & 1) != 0) {
            mask.add({cpu});
        }
    }
    return mask;
}

/// They wait at the gate. Errors: those of spawn; then the refused one has no thread.
Result<void> LiveRun::spawn_all() {
    for (LiveThread& each : m_all.all()) {
        Task const& task = m_workload.tasks[each.number];
        constexpr usize name_max = 31;
        task::ThreadAttributes attributes;
        attributes.name = task.name.view().substr(0, name_max);
        attributes.parameters = m_parameters.all()[task.schedule];
        attributes.allowed = mask_of(task.affinity);
        auto const spawned = m_threads.spawn(attributes, play, &each);
        if (!spawned) {
            m_refusal = KernelRefusal{.thread = each.number, .error = spawned.error()};
            return spawned.error();
        }
        each.thread = spawned.value();
    }
    return {};
}

void LiveRun::read_cpus(bool is_end) {
    for (u32 i = 0; i < m_cpus.all().size(); ++i) {
        sync::InterruptGuard const off;
        sched::CpuCounts const counts = m_threads.dispatcher().counts({i});
        auto const& queue = m_threads.dispatcher().of({i});
        LiveCpu& cpu = m_cpus.all()[i];
        LiveCpu const before = is_end ? cpu : LiveCpu{};
        cpu = {
            .idle = counts.idle - before.idle,
            .switches = counts.switches - before.switches,
            .violation = queue.queue.violation()};
    }
}

Result<void> LiveRun::run() {
    Result<void> const spawned = spawn_all();
    read_cpus(false);
    m_start = hal::Clock::now();
    m_end = spawned ? m_start + m_workload.duration : m_start; // none runs if one was refused
    {
        // All wait for the processor before one runs: who is stronger than this thread, and never
        // sleeps, would keep the others from being woken.
        sync::NoPreemptGuard const guard;
        m_gate.set();
    }
    Result<void> outcome;
    for (LiveThread& each : m_all.all()) {
        if (each.thread != nullptr) {
            m_threads.join(*each.thread).value(); // nobody else joins it
            outcome = each.error ? Result<void>(*each.error) : outcome;
        }
    }
    m_lasted = hal::Clock::now() - m_start;
    read_cpus(true);
    if (!spawned) {
        bool const is_memory = spawned.error() == Error::out_of_memory;
        return is_memory ? spawned : Result<void>();
    }
    return outcome;
}

// ---- on the threads of the workload ----

void LiveRun::play(void* live_thread) {
    auto& self = *static_cast<LiveThread*>(live_thread);
    self.run->play(self);
}

void LiveRun::play(LiveThread& self) {
    m_gate.wait();
    self.started = m_start + m_workload.tasks[self.number].delay;
    Step next = is_over() ? Step::stops : sleep_until(self, self.started);
    while (next == Step::next && !is_over()) {
        next = step(self);
    }
    while (!self.locks.empty()) {
        unlock(self, self.locks.items().back());
    }
    self.counts = own_counts();
}

sched::TaskCounts LiveRun::own_counts() {
    return m_threads.counts(task::Threads::current());
}

void LiveRun::note_wake(LiveThread& self, Nanos now, Nanos latency) {
    self.released = now - latency;
    if (auto const kept = self.latencies.push(latency.value); !kept) {
        self.error = kept.error();
    }
}

void LiveRun::end_job(LiveThread& self, Nanos now, bool is_late) {
    self.late += is_late ? 1 : 0;
    if (auto const kept = self.responses.push((now - self.released).value); !kept) {
        self.error = kept.error();
    }
}

/// Loops for so long of its own time: who is preempted goes on later.
LiveRun::Step LiveRun::compute(Nanos time) {
    constexpr Nanos look_every{20'000};
    Nanos const until = own_counts().ran + time;
    for (Nanos left = time; left > Nanos{}; left = until - own_counts().ran) {
        Nanos const from = hal::Clock::now();
        if (from >= m_end) {
            return Step::stops;
        }
        Nanos const to = from + std::min(left, look_every);
        while (hal::Clock::now() < to) {
        }
    }
    return Step::next;
}

LiveRun::Step LiveRun::sleep_until(LiveThread& self, Nanos at) {
    m_threads.sleep_until(std::min(at, m_end));
    Nanos const now = hal::Clock::now();
    if (now >= m_end) {
        return Step::stops;
    }
    note_wake(self, now, now - at);
    return Step::next;
}

/// Waits by `wait()`, which says whether it was in time. The dispatcher knows how long it took from
/// the wake-up to the processor.
template<class Wait>
LiveRun::Step LiveRun::wait(LiveThread& self, Wait const& wait) {
    sched::TaskCounts const before = own_counts();
    bool const is_in_time = wait();
    sched::TaskCounts const after = own_counts();
    if (!is_in_time) {
        return Step::stops;
    }
    if (after.wakes != before.wakes) {
        note_wake(self, hal::Clock::now(), after.waited - before.waited);
    }
    return Step::next;
}

LiveRun::Step LiveRun::step(LiveThread& self) {
    Operation const& operation = m_workload.operations[self.place++];
    switch (operation.kind) {
    case OperationKind::run:
    case OperationKind::runtime:
        return compute(Nanos{operation.amount});
    case OperationKind::begin:
        self.rounds[operation.level] = operation.amount;
        return Step::next;
    case OperationKind::repeat: {
        i64& rounds = self.rounds[operation.level];
        rounds -= rounds == forever ? 0 : 1;
        if (rounds != 0) {
            self.place = operation.object;
        }
        return Step::next;
    }
    case OperationKind::exit:
        return Step::stops;
    case OperationKind::yield:
        m_threads.yield();
        return Step::next;
    default:
        return use(self, operation);
    }
}

LiveRun::Step LiveRun::use(LiveThread& self, Operation const& operation) {
    u32 const object = operation.object;
    switch (operation.kind) {
    case OperationKind::sleep:
        return sleep_until(self, hal::Clock::now() + Nanos{operation.amount});
    case OperationKind::until:
        self.released = m_start + Nanos{operation.amount};
        return self.released <= hal::Clock::now() ? Step::next : sleep_until(self, self.released);
    case OperationKind::timer:
        return use_timer(self, operation);
    case OperationKind::finish: {
        Nanos const now = hal::Clock::now();
        end_job(self, now, operation.amount != 0 && now - self.released > Nanos{operation.amount});
        self.released = now;
        return Step::next;
    }
    case OperationKind::lock:
        return lock(self, object);
    case OperationKind::unlock:
        unlock(self, object);
        return Step::next;
    case OperationKind::wait:
        return wait_for(self, operation);
    case OperationKind::signal:
        m_conditions.all()[object].condition.notify_one();
        return Step::next;
    case OperationKind::broadcast:
        m_conditions.all()[object].condition.notify_all();
        return Step::next;
    case OperationKind::barrier:
        return meet(self, object);
    case OperationKind::send: {
        LiveQueue& queue = m_queues.all()[object];
        Step const went = wait(self, [&] { return queue.places.acquire_until(m_end); });
        if (went == Step::next) {
            queue.messages.release().value(); // as many at most as there are places
        }
        return went;
    }
    case OperationKind::receive: {
        LiveQueue& queue = m_queues.all()[object];
        Step const went = wait(self, [&] { return queue.messages.acquire_until(m_end); });
        if (went == Step::next) {
            queue.places.release().value();
        }
        return went;
    }
    case OperationKind::schedule:
        self.refused +=
            m_threads.change(task::Threads::current(), m_parameters.all()[object]) ? 0 : 1;
        return Step::next;
    case OperationKind::move:
        self.refused += m_threads.set_allowed(task::Threads::current(), mask_of(object)) ? 0 : 1;
        return Step::next;
    default:
        UNREACHABLE(); // live_objection has been asked
    }
}

/// As in the engine: a timer that has gone off before its job was done lets nobody sleep.
LiveRun::Step LiveRun::use_timer(LiveThread& self, Operation const& operation) {
    LiveTimer& timer = m_timers.all()[operation.object];
    Nanos const now = hal::Clock::now();
    Nanos next{};
    {
        sync::SpinLockGuard const guard(timer.lock, sync::save_interrupts);
        if (!timer.timer.is_started) {
            timer.timer = {.next = self.started, .is_started = true};
        }
        next = timer.timer.next =
            std::min(timer.timer.next + Nanos{operation.amount}, m_end + m_workload.duration);
        if (now >= next && operation.mode == TimerMode::relative) {
            timer.timer.next = now;
        }
    }
    end_job(self, now, now > next);
    if (now < next) {
        return sleep_until(self, next);
    }
    self.released = operation.mode == TimerMode::relative ? now : next;
    return Step::next;
}

LiveRun::Step LiveRun::lock(LiveThread& self, u32 number) {
    for (u32 const held : self.locks.items()) {
        if (held == number) { // it waits for itself
            m_threads.sleep_until(m_end);
            return Step::stops;
        }
    }
    if (self.locks.size() == LiveThread::locks_max) {
        self.error = Error::no_space;
        return Step::stops;
    }
    Step const went = wait(self, [&] { return m_mutexes.all()[number].lock_until(m_end); });
    if (went == Step::next) {
        self.locks.push_back(number).value();
    }
    return went;
}

/// A mutex that the thread does not hold stays as it is. A program takes and gives back by numbers:
/// no analysis of the source can follow it.
TWOFOLD_THREAD_ANNOTATION(no_thread_safety_analysis)
void LiveRun::unlock(LiveThread& self, u32 number) {
    for (usize i = 0; i < self.locks.size(); ++i) {
        if (self.locks[i] == number) {
            self.locks.erase(i);
            m_mutexes.all()[number].unlock();
            return;
        }
    }
}

/// Without a mutex, or with one that the thread does not hold, the condition's own is taken.
LiveRun::Step LiveRun::wait_for(LiveThread& self, Operation const& operation) {
    LiveCondition& condition = m_conditions.all()[operation.object];
    for (u32 const held : self.locks.items()) {
        if (operation.amount == held) {
            return wait(self, [&]() TWOFOLD_THREAD_ANNOTATION(no_thread_safety_analysis) {
                return condition.condition.wait_until(m_mutexes.all()[held], m_end);
            });
        }
    }
    return wait(self, [&] {
        condition.own.lock();
        bool const is_in_time = condition.condition.wait_until(condition.own, m_end);
        condition.own.unlock();
        return is_in_time;
    });
}

LiveRun::Step LiveRun::meet(LiveThread& self, u32 number) {
    LiveBarrier& barrier = m_barriers.all()[number];
    return wait(self, [&] {
        barrier.mutex.lock();
        u64 const round = barrier.round;
        if (++barrier.waiting >= m_workload.barriers[number]) {
            barrier.waiting = 0;
            ++barrier.round;
            barrier.all_are_there.notify_all();
        }
        bool is_in_time = true;
        while (barrier.round == round && is_in_time) {
            is_in_time = barrier.all_are_there.wait_until(barrier.mutex, m_end);
        }
        barrier.mutex.unlock();
        return is_in_time;
    });
}

} // namespace twofold::lab
