// See time.hpp.
#include "core/processor/time.hpp"

namespace twofold::processor {

constinit Alarm const machine_alarm{
    .now = [](void*) { return hal::Clock::now(); },
    .arm = [](void*, Nanos deadline) { hal::Clock::arm(deadline); },
    .disarm = [](void*) { hal::Clock::disarm(); },
    .object = nullptr};

void idle(CpuLocal& cpu) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    Nanos const before = hal::Clock::now();
    cpu.is_resting = true;
    hal::Cpu::idle();
    cpu.is_resting = false;
    ++cpu.idle_wakes;
    cpu.idle_time = cpu.idle_time + (hal::Clock::now() - before);
    if (cpu.work_waits && cpu.run_work != nullptr) {
        cpu.run_work(cpu); // whoever was woken; the caller may go on on another processor
    }
}

Result<void> start_timer(Timer& timer, Nanos deadline) {
    sync::InterruptGuard const off; // the caller stays on its processor
    TimerQueue& queue = this_cpu().timers;
    if (!queue.is_open()) {
        return Error::not_supported;
    }
    queue.start(timer, deadline);
    return {};
}

Result<void> sleep_until(Nanos deadline) {
    sync::require(sync::Ability::wait);
    CHECK(hal::Interrupt::state() == hal::InterruptState::enabled);
    Timeout timeout;
    TRY(timeout.start(deadline));
    while (!timeout.has_passed()) {
        wait_for_interrupt([&] { return timeout.has_passed(); });
    }
    return {};
}

} // namespace twofold::processor
