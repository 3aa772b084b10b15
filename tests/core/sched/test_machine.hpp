// A machine for tests of the dispatcher: its processors, alarms and kicks are variables, its clock
// is turned by hand.
#pragma once

#include "core/sched/dispatcher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace twofold::sched {

/// Locks that notice being taken twice: the test is one thread.
struct TestLock {
    void lock() {
        CHECK(!is_taken);
        is_taken = true;
    }
    void unlock() {
        CHECK(is_taken);
        is_taken = false;
    }
    bool is_taken = false;
};

struct TestWorld {
    using Lock = TestLock;

    explicit TestWorld(u32 count) : alarms(count, never), kicks(count, false) {}

    Nanos now(CpuId) const { return time; }
    void arm(CpuId here, Nanos at) { alarms[here.value] = at; }
    void kick(CpuId cpu) { kicks[cpu.value] = true; }
    void relax() { FAIL() << "nobody can be on the way in one thread"; }
    template<class P>
    void note(DispatchEvent<P> const& event) {
        violation = event.kind == DispatchEventKind::violation ? event.violation : violation;
    }

    Nanos time{};
    std::vector<Nanos> alarms;
    std::vector<bool> kicks;
    Violation violation = Violation::none;
};

/// A machine whose processors do what the dispatcher says.
template<class P>
class Machine {
public:
    using Dispatch = Dispatcher<P, TestWorld>;
    using Task = typename Dispatch::Task;
    using Queue = typename Dispatch::Queue;

    explicit Machine(std::vector<CpuPlace> const& places)
        : world(static_cast<u32>(places.size())),
          pointers(places.size(), nullptr),
          dispatcher(world, pointers) {
        for (u32 i = 0; i < places.size(); ++i) {
            queues.push_back(std::make_unique<Queue>());
            idles.push_back(std::make_unique<Task>());
            dispatcher.add(*queues[i], {i}, places[i], *idles[i]);
        }
    }
    ~Machine() {
        for (u32 cpu = 0; cpu < queues.size(); ++cpu) {
            for (Task* task = nullptr; (task = current(cpu)) != nullptr;) {
                follow(dispatcher.exit({cpu}), cpu);
            }
        }
        for (auto& task : tasks) {
            settle(*task);
        }
    }

    Task&
    add(typename P::Parameters const& parameters = {}, CpuMask const& allowed = CpuMask::all()) {
        tasks.push_back(std::make_unique<Task>());
        CHECK(dispatcher.admit(*tasks.back(), parameters, allowed).has_value());
        return *tasks.back();
    }
    /// Null: idle.
    Task* current(u32 cpu) const {
        Task* const task = dispatcher.current({cpu});
        return task == idles[cpu].get() ? nullptr : task;
    }
    void follow(Task* next, u32 cpu) {
        if (next != nullptr) {
            dispatcher.finish({cpu});
        }
    }
    void park(u32 cpu) { follow(dispatcher.park({cpu}), cpu); }
    void yield(u32 cpu) { follow(dispatcher.yield({cpu}), cpu); }
    void unpark(Task& task, u32 here = 0) { dispatcher.unpark(task, {here}); }
    /// Everything that the processors were told to do, until nothing is left.
    void run_events() {
        u32 rounds = 0;
        for (bool is_over = false; !is_over;) {
            CHECK(++rounds < 10'000);
            is_over = true;
            for (u32 cpu = 0; cpu < queues.size(); ++cpu) {
                bool const is_told = world.kicks[cpu] || world.alarms[cpu] <= world.time;
                if (is_told) {
                    world.kicks[cpu] = false;
                    world.alarms[cpu] = world.alarms[cpu] <= world.time ? never : world.alarms[cpu];
                    dispatcher.attend({cpu});
                }
                if (dispatcher.wants_reschedule({cpu})) {
                    follow(dispatcher.preempt({cpu}), cpu);
                }
                if (current(cpu) == nullptr && dispatcher.steal({cpu})) {
                    follow(dispatcher.preempt({cpu}), cpu);
                }
                is_over = is_over && !is_told;
            }
        }
    }
    /// Lets time pass, with what happens in it.
    void pass(i64 nanoseconds) {
        Nanos const end = world.time + Nanos{nanoseconds};
        run_events();
        for (Nanos next = first_alarm(); next <= end; next = first_alarm()) {
            world.time = std::max(next, world.time);
            run_events();
        }
        world.time = end;
        run_events();
    }
    Nanos first_alarm() const {
        return *std::min_element(world.alarms.begin(), world.alarms.end());
    }
    Nanos ran(Task const& task) { return dispatcher.counts(task).ran; }

    TestWorld world;
    std::vector<std::unique_ptr<Queue>> queues;
    std::vector<std::unique_ptr<Task>> idles;
    std::vector<Queue*> pointers;
    Dispatch dispatcher;
    std::vector<std::unique_ptr<Task>> tasks;

private:
    /// Takes a task away, wherever it is, by letting it run and exit.
    void settle(Task& task) {
        if (task.state() == TaskState::absent) {
            return;
        }
        if (task.state() == TaskState::asleep) {
            dispatcher.expel(task);
            return;
        }
        for (u32 turns = 0; task.state() != TaskState::absent; ++turns) {
            CHECK(turns < 100'000);
            world.time = world.time + Nanos{1'000'000};
            run_events();
            if (task.state() == TaskState::running) {
                follow(dispatcher.exit(task.cpu()), task.cpu().value);
            }
        }
    }
};

} // namespace twofold::sched
