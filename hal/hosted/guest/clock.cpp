// Time on the kernel's side of the hosted machine.
#include "hal/clock.hpp"

#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/live/host_counter.hpp"

namespace hal {

using namespace hosted;

namespace {

Nanos nanos(u64 value) {
    return {static_cast<i64>(value)};
}

} // namespace

Result<void> Clock::adopt(ClockPlan const&) {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::clock_adopt);
    return {};
}

ClockDescription Clock::describe() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::clock_describe);
    return {
        .counter = self.cpu().counter_distrusted ? "host clock" : "host TSC",
        .counter_hz = self.cpu().arguments[0],
        .reference = "host clock",
        .error_ppm = static_cast<u32>(self.cpu().arguments[1]),
        .event = "host timer",
        .event_hz = 1'000'000'000,
        .counter_is_invariant = self.cpu().result != 0};
}

Nanos Clock::now() {
    CpuBlock const& block =
        cpu_block(); // any processor's: they differ in nothing that is read here
    if (!block.counter_distrusted) [[likely]] {
        return nanos(block.scale.nanoseconds(read_counter()));
    }
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::clock_common);
    return nanos(self.cpu().result);
}

bool Clock::distrust_counter() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::clock_distrust);
    return true;
}

void Clock::arm(Nanos deadline) {
    CHECK(Interrupt::state() == InterruptState::disabled);
    GuestCpu& cpu = guest_cpu();
    if (deadline <= now()) {
        disarm();
        cpu.interrupts.raised_here.set_own(deadline_vector);
        cpu.attention = true;
        return;
    }
    // The signal handler may come in between. Whatever it sees is a deadline in the future, which
    // it sets the host's timer to if that has fired.
    __atomic_store_n(&cpu.deadline.wanted_ns, deadline.value, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (deadline.value < __atomic_load_n(&cpu.deadline.set_ns, __ATOMIC_RELAXED)) {
        exit_to_machine(cpu, Request::clock_set);
    }
}

void Clock::disarm() {
    CHECK(Interrupt::state() == InterruptState::disabled);
    // The host's timer fires in vain.
    __atomic_store_n(&guest_cpu().deadline.wanted_ns, Deadline::never, __ATOMIC_RELAXED);
}

Vector Clock::vector() {
    return deadline_vector;
}

std::optional<Nanos> Clock::wall() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::clock_wall);
    return nanos(self.cpu().result);
}

} // namespace hal
