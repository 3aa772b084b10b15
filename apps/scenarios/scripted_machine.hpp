// A machine of variables under the kernel's dispatcher: four processors in two nodes, one of them
// slow, whose clock, alarms and kicks whoever plays it turns. The same on every machine.
#pragma once

#include "apps/scenarios/scenarios.hpp"
#include "core/sched/sched.hpp"

namespace twofold::scenarios::scripted {

using namespace twofold::sched;

inline constexpr u32 cpus = 4;
inline constexpr u32 tasks = 14;
inline constexpr CpuPlace cpu_places[cpus] = {{0, 1024}, {0, 512}, {1, 1024}, {1, 1024}};

struct ScriptedWorld {
    struct Lock {
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

    Nanos now(CpuId) const { return time; }
    void arm(CpuId here, Nanos at) { alarms[here.value] = at; }
    void kick(CpuId cpu) { kicks[cpu.value] = true; }
    static void relax() { UNREACHABLE(); } // nobody is on the way: there is one thread
    /// Adds what happened to the schedule's checksum.
    void note(DispatchEvent<KernelClasses> const& event) {
        u64 const words[] = {
            static_cast<u64>(event.kind), event.cpu.value, static_cast<u64>(event.now.value),
            event.task == nullptr ? ~u64{0} : static_cast<u64>(event.task - first_task)};
        checksum.update(std::as_bytes(std::span(words)));
        ++noted;
    }

    Nanos time{};
    Nanos alarms[cpus] = {never, never, never, never};
    bool kicks[cpus]{};
    Schedulable<KernelClasses> const* first_task = nullptr;
    Crc32 checksum;
    u64 noted = 0;
};

/// A machine of variables that does what the dispatcher says.
struct ScriptedMachine {
    using Dispatch = Dispatcher<KernelClasses, ScriptedWorld>;
    using Task = Dispatch::Task;

    ScriptedMachine() {
        world.first_task = all;
        for (u32 cpu = 0; cpu < cpus; ++cpu) {
            dispatcher.add(queues[cpu], {cpu}, cpu_places[cpu], idles[cpu]);
        }
    }

    bool is_idle(u32 cpu) const { return dispatcher.current({cpu}) == &idles[cpu]; }
    void follow(Task const* next, u32 cpu) {
        if (next != nullptr) {
            dispatcher.finish({cpu});
        }
    }
    bool attend(u32 cpu) {
        bool const is_told = world.kicks[cpu] || world.alarms[cpu] <= world.time;
        if (is_told) {
            world.kicks[cpu] = false;
            world.alarms[cpu] = world.alarms[cpu] <= world.time ? never : world.alarms[cpu];
            dispatcher.attend({cpu});
        }
        if (dispatcher.wants_reschedule({cpu})) {
            follow(dispatcher.preempt({cpu}), cpu);
        }
        if (is_idle(cpu) && dispatcher.steal({cpu})) {
            follow(dispatcher.preempt({cpu}), cpu);
        }
        return is_told;
    }
    /// Everything that the processors were told to do.
    void run_events() {
        for (bool is_over = false; !is_over;) {
            is_over = true;
            for (u32 cpu = 0; cpu < cpus; ++cpu) {
                is_over = !attend(cpu) && is_over;
            }
        }
    }
    void pass(Nanos duration) {
        Nanos const end = world.time + duration;
        run_events();
        while (true) {
            Nanos next = never;
            for (Nanos const alarm : world.alarms) {
                next = std::min(next, alarm);
            }
            if (next > end) {
                break;
            }
            world.time = std::max(world.time, next);
            run_events();
        }
        world.time = end;
        run_events();
    }
    /// Ends all tasks. Who waits may wait for another one to end: a FIFO task runs for ever.
    void end() {
        for (bool is_over = false; !is_over;) {
            is_over = true;
            for (Task& task : all) {
                if (task.state() == TaskState::asleep) {
                    dispatcher.expel(task);
                } else if (task.state() == TaskState::running) {
                    follow(dispatcher.exit(task.cpu()), task.cpu().value);
                }
                is_over = is_over && task.state() == TaskState::absent;
            }
            pass({1'000'000});
        }
    }

    ScriptedWorld world;
    Dispatch::Queue* pointers[cpus]{};
    Dispatch dispatcher{world, pointers};
    Dispatch::Queue queues[cpus];
    Task idles[cpus];
    Task all[tasks];
};

/// One after the other of all classes.
inline KernelClasses::Parameters parameters_of(u32 index) {
    constexpr i64 ms = 1'000'000;
    switch (index % 7) {
    case 0:
        return KernelClasses::Parameters::of<Edf>({Nanos{ms}, Nanos{(10 + index) * ms}});
    case 1:
        return KernelClasses::Parameters::of<Fifo>({.priority = 10 + index});
    case 2:
        return KernelClasses::Parameters::of<RoundRobin>({.priority = index, .quantum{2 * ms}});
    case 3:
        return KernelClasses::Parameters::of<KernelStride>({.tickets = 512 * index});
    case 4:
        return KernelClasses::Parameters::of<Inference>({});
    case 5:
        return KernelClasses::Parameters::of<Batch>({});
    default:
        return KernelClasses::Parameters::of<Eevdf>({.weight = 100 * index});
    }
}

} // namespace twofold::scenarios::scripted
