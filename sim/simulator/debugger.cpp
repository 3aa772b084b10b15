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

/// A place for a breakpoint. What it writes nobody reads but a debugger.
extern "C" {
extern void const* sim_stopped_machine;
void sim_stopped(void const* machine);

void const* sim_stopped_machine;
[[gnu::noinline]] void sim_stopped(void const* machine) {
    sim_stopped_machine = machine;
}
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
