// How the dispatcher finds the next task, lets it wait, and moves it from one processor to another.
// A part of dispatcher.hpp, which tells of all of it.
#pragma once

#include "core/sched/dispatcher_class.hpp"

namespace twofold::sched {

template<Policy P, class World>
auto Dispatcher<P, World>::fall_asleep(Queue& queue, Task& task, Nanos now) -> void {
    queue.load.fetch_sub(1, relaxed);
    note_utilisation(task, now);
    set_state(task, TaskState::asleep, now);
}

template<Policy P, class World>
auto Dispatcher<P, World>::stop(Queue& queue, Task& task, Nanos now) -> void {
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

template<Policy P, class World>
auto Dispatcher<P, World>::goes_to(Queue const& queue, Task const& task) const -> CpuId {
    if (!task.m_allowed.has(queue.cpu)) {
        return place_for(task, queue);
    }
    if (queue.misfit.load(relaxed) != Misfit::none) {
        return faster_idle(queue, task);
    }
    return queue.cpu;
}

template<Policy P, class World>
auto Dispatcher<P, World>::choose(Queue& queue, Nanos now) -> Task* {
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

template<Policy P, class World>
auto Dispatcher<P, World>::note_misfit(Queue& queue, Task const& task) const -> void {
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

template<Policy P, class World>
auto Dispatcher<P, World>::slice_is_over(Queue const& queue, Nanos now) const -> bool {
    bool const has_others = queue.queue.runnable() > (queue.current == queue.idle ? 0u : 1u);
    return now >= queue.slice_end && (queue.slice_is_hard || has_others);
}

template<Policy P, class World>
auto Dispatcher<P, World>::wants_faster(Queue& queue) const -> bool {
    if (queue.current == queue.idle) {
        return false;
    }
    note_misfit(queue, *queue.current);
    return queue.misfit.load(relaxed) != Misfit::none &&
           faster_idle(queue, *queue.current) != queue.cpu;
}

template<Policy P, class World>
auto Dispatcher<P, World>::set_alarm(Queue& queue, Nanos now) -> void {
    if (queue.wants_reschedule.load(relaxed) != 0) {
        return; // then it is set
    }
    bool const has_others = queue.queue.runnable() > (queue.current == queue.idle ? 0u : 1u);
    Nanos at = queue.slice_is_hard || has_others ? queue.slice_end : never;
    if (mutant(Mutant::schedule_slice_lost) && !queue.slice_is_hard) {
        at = never;
    }
    if (!queue.throttled.empty()) {
        at = std::min(at, queue.throttled.front().m_window_end);
    }
    if (queue.place.capacity < m_capacity_max.load(relaxed) && queue.current != queue.idle)
        [[unlikely]] {
        at = std::min(at, now + misfit_interval);
    }
    arm_for(queue, at);
}

template<Policy P, class World>
auto Dispatcher<P, World>::arm_for(Queue& queue, Nanos at) -> void {
    if (at < queue.armed_for) {
        queue.armed_for = at;
        m_world.arm(queue.cpu, at);
    }
}

template<Policy P, class World>
auto Dispatcher<P, World>::is_exhausted(Task const& task, Nanos now) -> bool {
    return task.m_limit.is_set() && task.m_budget <= Nanos{} && now < task.m_window_end;
}

template<Policy P, class World>
auto Dispatcher<P, World>::open_window(Task& task, Nanos now) -> void {
    if (now >= task.m_window_end && mutant(Mutant::schedule_window_lost)) {
        task.m_window_end = now + task.m_limit.period;
    }
    if (now >= task.m_window_end) {
        task.m_budget = std::min(task.m_budget, Nanos{}) + task.m_limit.quota;
        task.m_window_end = now + task.m_limit.period;
    }
}

template<Policy P, class World>
auto Dispatcher<P, World>::throttle(Queue& queue, Task& task, Nanos now) -> void {
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

template<Policy P, class World>
auto Dispatcher<P, World>::take_unthrottled(Queue& queue, Nanos now) -> Task* {
    if (queue.throttled.empty() || queue.throttled.front().m_window_end > now) {
        return nullptr;
    }
    Task& task = queue.throttled.pop_front();
    set_state(task, TaskState::asleep, now);
    return &task;
}

template<Policy P, class World>
auto Dispatcher<P, World>::admit_to(
    Queue& queue, Task& task, Parameters const& parameters, CpuMask const& allowed)
    -> Result<void> {
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

template<Policy P, class World>
auto Dispatcher<P, World>::wake(Queue& queue, Task& task, CpuId here) -> void {
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

template<Policy P, class World>
auto Dispatcher<P, World>::enter(Queue& queue, Task& task, Nanos now, CpuId here) -> void {
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

template<Policy P, class World>
auto Dispatcher<P, World>::consider(Queue& queue, Task& task, Nanos now, CpuId here) -> void {
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

template<Policy P, class World>
auto Dispatcher<P, World>::ask_reschedule(Queue& queue, CpuId here) -> void {
    queue.wants_reschedule.store(1, relaxed);
    bool is_lost = mutant(Mutant::schedule_kick_lost) && queue.current != queue.idle;
    if (queue.cpu != here && !is_lost) {
        kick(queue);
    }
}

template<Policy P, class World>
auto Dispatcher<P, World>::ask_alarm(Queue& queue, Nanos now, CpuId here) -> void {
    if (queue.cpu == here) {
        set_alarm(queue, now);
    } else if (queue.slice_end < queue.armed_for || !queue.throttled.empty()) {
        kick(queue);
    }
}

template<Policy P, class World>
auto Dispatcher<P, World>::kick(Queue& queue) -> void {
    if (queue.kicked.exchange(1, relaxed) == 0) {
        m_world.kick(queue.cpu);
    }
}

template<Policy P, class World>
auto Dispatcher<P, World>::take_out(Queue& queue, Task& task, Nanos now) -> void {
    queue.queue.expel(task, now);
    queue.members.remove(task);
}

template<Policy P, class World>
auto Dispatcher<P, World>::take_waiting(Queue& queue, Task& task, Nanos now, CpuId target) -> void {
    queue.queue.cancel(task, now);
    queue.load.fetch_sub(1, relaxed);
    take_out(queue, task, now);
    send_to(task, target, now);
}

template<Policy P, class World>
auto Dispatcher<P, World>::send_to(Task& task, CpuId target, Nanos now) -> void {
    set_state(task, TaskState::moving, now);
    ++task.m_counts.migrations;
    task.m_cpu.store(target.value, release);
}

template<Policy P, class World>
auto Dispatcher<P, World>::join(CpuId target, Task& task, CpuId here) -> void {
    Queue& queue = lock(target);
    Nanos const now = account(queue);
    CHECK(task.state() == TaskState::moving);
    // What asks for no guarantee is not refused, and its parameters have been checked.
    Result<void> const outcome = queue.queue.admit(task, task.m_parameters, now);
    CHECK(outcome.has_value());
    queue.members.push_back(task);
    note(Kind::migrate, queue, &task, now);
    enter(queue, task, now, here);
    queue.lock.unlock();
}

} // namespace twofold::sched
