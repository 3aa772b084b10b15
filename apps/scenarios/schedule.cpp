// The kernel's dispatcher and its classes under a clock that the scenario turns: who ran when, on
// which processor, while tasks of all classes wake, sleep, yield and change. Processors, alarms and
// kicks are variables, so every machine has four, in two nodes, one of them slow.
#include "apps/scenarios/scripted_machine.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Kernel;
using twofold::boot::Recorder;
using namespace scripted;

constexpr u32 events = 3000;

void play(ScriptedMachine& machine, Random& random) {
    auto& task = machine.all[random.below(tasks)];
    auto const cpu = static_cast<u32>(random.below(cpus));
    switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
        machine.dispatcher.unpark(task, {cpu});
        break;
    case 3:
    case 4:
        if (!machine.is_idle(cpu)) {
            machine.follow(machine.dispatcher.park({cpu}), cpu);
        }
        break;
    case 5:
        machine.follow(machine.dispatcher.yield({cpu}), cpu);
        break;
    case 6: {
        CpuMask allowed = CpuMask::only({cpu});
        allowed.add({static_cast<u32>(random.below(cpus))});
        // What is guaranteed elsewhere is refused, on every machine alike.
        static_cast<void>(machine.dispatcher.set_allowed(task, allowed, {cpu}));
        break;
    }
    default:
        static_cast<void>(machine.dispatcher.change(
            task, parameters_of(static_cast<u32>(random.below(tasks))), {cpu}));
    }
    machine.pass({static_cast<i64>(random.below(1'500'000))});
}

} // namespace

void schedule(Recorder& record, Kernel& kernel) {
    auto made = memory::Box<ScriptedMachine, memory::KernelHeap>::create(*kernel.heap);
    if (!made) {
        record.error("a machine of variables", made.error());
        return;
    }
    ScriptedMachine& machine = *made.value();
    for (u32 i = 0; i < tasks; ++i) {
        char name[24];
        record.result(
            format_to(std::span(name), "task {} admitted", i).text,
            machine.dispatcher.admit(machine.all[i], parameters_of(i), CpuMask::first(cpus)));
    }
    Random random(20'261);
    for (u32 event = 0; event < events; ++event) {
        play(machine, random);
        if (event % 500 == 499) {
            char name[40];
            record.number(
                format_to(std::span(name), "schedule until event {}", event + 1).text,
                machine.world.checksum.value());
        }
    }
    for (u32 i = 0; i < tasks; ++i) {
        TaskCounts const counts = machine.dispatcher.counts(machine.all[i]);
        char name[40];
        record.number(
            format_to(std::span(name), "task {} ran", i).text, static_cast<u64>(counts.ran.value));
        record.number(format_to(std::span(name), "task {} switches", i).text, counts.switches);
        record.number(format_to(std::span(name), "task {} migrations", i).text, counts.migrations);
    }
    record.number("what happened", machine.world.noted);
    for (u32 cpu = 0; cpu < cpus; ++cpu) {
        char name[40];
        record.text(
            format_to(std::span(name), "processor {} complains of", cpu).text,
            violation_name(machine.queues[cpu].queue.violation()));
    }
    machine.end();
}

} // namespace twofold::scenarios
