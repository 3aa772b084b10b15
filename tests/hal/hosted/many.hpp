// A kernel of the tests on several processors: see probe.hpp.
#pragma once

#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <filesystem>

namespace hosted::test {

inline MachineConfig config_of(u32 cpus) {
    MachineConfig config;
    config.cpus = cpus;
    return config;
}

inline std::ptrdiff_t thread_count() {
    std::filesystem::directory_iterator const tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
}

inline u64 load(u64 const& word) {
    return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
inline void add(u64& word, u64 amount = 1) {
    __atomic_fetch_add(&word, amount, __ATOMIC_ACQ_REL);
}

/// Runs a machine to its end, waiting where its boot processor does.
inline Stop run_to_end(Machine& machine) {
    Stop stop = machine.run();
    while (stop.kind == Stop::Kind::waiting_for_input) {
        machine.wait(-1);
        stop = machine.run();
    }
    return stop;
}

inline Stop run_to_end(Probe& probe, MachineConfig config) {
    MemoryConsole console;
    return run_to_end(*make_machine(probe, console, std::move(config)));
}

/// A kernel that has started all its processors.
struct Many : Probe {
    u64 online = 0;
    u64 seen_by_id[cpus_max] = {};
    u64 failures = 0;

    void start_all(hal::BootInfo const& info) {
        open_interrupts();
        for (u32 id = 1; id < hal::Cpu::count(); ++id) {
            failures += start_processor(id, info) ? 0 : 1;
        }
        while (load(online) + 1 < hal::Cpu::count()) {
            hal::Cpu::pause();
        }
    }
    /// What each started processor does first.
    void arrive() {
        add(seen_by_id[hal::Cpu::id().value]);
        add(online);
        hal::Interrupt::restore(hal::InterruptState::enabled);
    }
};

} // namespace hosted::test
