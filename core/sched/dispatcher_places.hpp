// Where the dispatcher lets tasks wait, and from where it takes them. A part of dispatcher.hpp,
// which tells of all of it.
#pragma once

#include "core/sched/dispatcher_class.hpp"

namespace twofold::sched {

template<Policy P, class World>
auto Dispatcher<P, World>::scaled_load(Queue const& queue) const -> u64 {
    return u64{queue.load.load(relaxed)} * CpuPlace::capacity_full / queue.place.capacity;
}

template<Policy P, class World>
auto Dispatcher<P, World>::shortest(CpuMask const& among) const -> Queue& {
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

template<Policy P, class World>
auto Dispatcher<P, World>::is_fast_enough(Queue const& queue, Task const& task) const -> bool {
    u32 const capacity = queue.place.capacity;
    return capacity >= m_capacity_max.load(relaxed) || need_of(task) <= capacity;
}

template<Policy P, class World>
auto Dispatcher<P, World>::place_for(Task const& task, Queue const& last) const -> CpuId {
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
        if (queue.place.node == last.place.node && scaled_load(queue) + 2 <= scaled_load(last) &&
            scaled_load(queue) < scaled_load(*best)) {
            best = &queue;
        }
        return true;
    });
    return best->cpu;
}

template<Policy P, class World>
auto Dispatcher<P, World>::slowest_idle(
    CpuMask const& allowed, Task const& task, Queue const& last) const -> Queue const* {
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

template<Policy P, class World>
auto Dispatcher<P, World>::may_go_faster(Queue const& queue, Task const& task) const -> bool {
    bool may = false;
    (task.m_allowed & m_known.look()).for_each([&](CpuId cpu) {
        may = of(cpu).place.capacity > queue.place.capacity;
        return !may;
    });
    return may && !is_bound_to_queue<P>(task.m_parameters);
}

template<Policy P, class World>
auto Dispatcher<P, World>::faster_idle(Queue const& queue, Task const& task) const -> CpuId {
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

template<Policy P, class World>
auto Dispatcher<P, World>::longest_queue(
    CpuMask const& others, Queue const& thief, bool is_near) const -> Queue* {
    Queue* best = nullptr;
    others.for_each([&](CpuId cpu) {
        Queue& queue = of(cpu);
        if ((queue.place.node == thief.place.node) == is_near && queue.load.load(relaxed) >= 2 &&
            (best == nullptr || scaled_load(queue) > scaled_load(*best))) {
            best = &queue;
        }
        return true;
    });
    return best;
}

template<Policy P, class World>
auto Dispatcher<P, World>::may_move(Task const& task, CpuId to) const -> bool {
    return task.state() == TaskState::waiting && task.m_allowed.has(to) &&
           !is_bound_to_queue<P>(task.m_parameters);
}

template<Policy P, class World>
auto Dispatcher<P, World>::coldest(Queue& queue, CpuId to) const -> Task* {
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

template<Policy P, class World>
auto Dispatcher<P, World>::take_coldest(Queue& from, Queue const& thief, bool is_near, Nanos& retry)
    -> Task* {
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

template<Policy P, class World>
auto Dispatcher<P, World>::take_surplus(Queue& queue, Nanos now) -> Task* {
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

template<Policy P, class World>
auto Dispatcher<P, World>::relieve_slower(CpuMask const& others, Queue const& queue) -> void {
    others.for_each([&](CpuId cpu) {
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

} // namespace twofold::sched
