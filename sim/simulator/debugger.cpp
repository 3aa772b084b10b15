// See debugger.hpp.
#include "sim/simulator/debugger.hpp"

#include "hal/hosted/guest/guest_cpu.hpp"

#include <array>

namespace twofold::sim {

namespace {

/// tools/gdb/simulated.py knows these two: words of 64 bits.
struct StoppedCpu {
    u64 id;
    u64 sleeps;
    u64 interrupts_enabled;
    u64 now_ns;
    u64 kernel_stack; ///< at which isa::SwitchFrame lies
};
struct StoppedMachine {
    u64 event;
    u64 now_ns;
    u64 hash;
    u64 count;
    std::array<StoppedCpu, hosted::cpus_max> cpus;
};

} // namespace

extern "C" void sim_stopped(void const* machine);

/// A place for a breakpoint.
extern "C" [[gnu::noinline]] void sim_stopped(void const* machine) {
    asm volatile("" : : "r"(machine) : "memory");
}

void stop_for_debugger(CaseRun& run) {
    hosted::SimEngine& engine = run.engine();
    StoppedMachine machine{engine.counts().moments, engine.time_ns(), engine.counts().hash, 0, {}};
    for (hosted::Standing const& each : engine.standings()) {
        machine.cpus[machine.count++] = {
            each.id, each.sleeps ? u64{1} : 0, each.interrupts_enabled ? u64{1} : 0,
            static_cast<u64>(each.now_ns), each.kernel_stack};
    }
    engine.map_stacks();
    sim_stopped(&machine);
}

} // namespace twofold::sim
