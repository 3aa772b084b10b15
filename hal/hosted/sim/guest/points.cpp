// What the points of the simulator's kernel do when the engine has to look, and its clock.
#include "hal/clock.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"

#include <core/base/atomic_point.hpp>
#include <core/base/probe.hpp>
#include <isa/cpuid.hpp>

namespace hosted {

static_assert(atomic_point::takes_time, "the simulator's header has to come first");
static_assert(probe::is_simulated, "the simulator's header has to come first");

namespace {

void give_back(bool has_spun) {
    if (read_flag<switching_flag>()) {
        return; // between two stacks: the next point sees it, too
    }
    bool const was_enabled = read_flag<enabled_flag>();
    set_flag<enabled_flag>(false); // not by its guard, which is a point itself
    exit_to_machine(guest_cpu(), Request::yield, has_spun ? 1 : 0);
    if (was_enabled) {
        set_flag<enabled_flag>(true);
        hal::Interrupt::poll();
    }
}

} // namespace

void sim_reached() {
    // On the way here an edge may have been a point itself, and have come back from the engine.
    if (guest_cpu().time.left < 0) {
        give_back(false);
    }
}

void sim_spun() {
    VirtualTime& time = guest_cpu().time; // whichever processor this is: it takes its own time
    time.left -= time.costs[static_cast<usize>(SimOperation::pause)];
    give_back(true);
}

bool sim_fails(FaultPoint point) {
    auto const index = static_cast<usize>(point);
    GuestMachine& machine = *guest_cpu().machine; // the same, whichever processor this is
    ++machine.points_reached[index];
    if ((machine.points_armed >> index & 1) == 0) [[likely]] {
        return false;
    }
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::probe_fails, index);
    return self.cpu().result != 0;
}

void sim_note(probe::Note what, u64 value) {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::probe_note, static_cast<u64>(what), value);
}

hal::CpuDescription simulated_processor() {
    using isa::Feature;
    constexpr Feature present[] = {
        Feature::tsc,     Feature::msr,        Feature::apic,          Feature::pge,
        Feature::pat,     Feature::clflush,    Feature::fxsr,          Feature::sse,
        Feature::sse2,    Feature::hypervisor, Feature::syscall,       Feature::nx,
        Feature::pdpe1gb, Feature::long_mode,  Feature::invariant_tsc, Feature::pse};
    hal::CpuDescription description{
        .vendor = "TwofoldSimul",
        .model = "simulated processor",
        .family = 15,
        .model_number = 0,
        .stepping = 0,
        .features = 0};
    for (Feature const feature : present) {
        description.features |= u64{1} << static_cast<unsigned>(feature);
    }
    return description;
}

namespace {

/// The time on this processor, which is not before what any processor has been told.
i64 read_clock(GuestCpu& cpu) {
    VirtualTime& time = cpu.time;
    i64& latest_ns = cpu.machine->latest_ns;
    i64 const behind_ns = latest_ns - time.now_ns();
    if (behind_ns > 0) {
        time.pass(behind_ns);
    }
    latest_ns = time.now_ns();
    return latest_ns;
}

} // namespace

} // namespace hosted

namespace hal {

using namespace hosted;

u64 Cpu::cycle_counter() {
    return static_cast<u64>(Clock::now().value);
}

Result<void> Clock::adopt(ClockPlan const&) {
    sim_point<SimOperation::clock>();
    guest_cpu().machine->has_clock = true;
    return {};
}

ClockDescription Clock::describe() {
    return {
        .counter = "virtual time",
        .counter_hz = 1'000'000'000,
        .reference = "virtual time",
        .error_ppm = 0,
        .event = "simulator",
        .event_hz = 1'000'000'000,
        .counter_is_invariant = true};
}

Nanos Clock::now() {
    sim_point<SimOperation::clock>();
    GuestCpu& cpu = guest_cpu(); // behind the point nobody else runs before the next
    return {cpu.machine->has_clock ? read_clock(cpu) : 0};
}

bool Clock::distrust_counter() {
    return true;
}

void Clock::arm(Nanos deadline) {
    CHECK(Interrupt::state() == InterruptState::disabled);
    sim_point<SimOperation::clock>();
    GuestCpu& cpu = guest_cpu();
    if (deadline.value <= read_clock(cpu)) {
        disarm();
        cpu.interrupts.raised_here.set_own(deadline_vector);
        cpu.attention = true;
        return;
    }
    cpu.deadline.wanted_ns = deadline.value;
    if (deadline.value < cpu.time.until_ns) { // the engine has to look then
        cpu.time.pass(cpu.time.until_ns - deadline.value);
        cpu.time.until_ns = deadline.value;
    }
}

void Clock::disarm() {
    CHECK(Interrupt::state() == InterruptState::disabled);
    guest_cpu().deadline.wanted_ns = Deadline::never;
}

Vector Clock::vector() {
    return deadline_vector;
}

std::optional<Nanos> Clock::wall() {
    constexpr i64 begin_ns = 1'767'225'600'000'000'000; // 2026-01-01 00:00 UTC
    return Nanos{begin_ns + Clock::now().value};
}

} // namespace hal
