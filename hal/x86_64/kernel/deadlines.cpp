// Deadlines: what fires them, and that none comes early.
//
// Every processor has one deadline of the kernel's, and one of the machine's own (wait_for); the
// earlier of the two is programmed. Whatever fires is only a hint: a timer's range is shorter than
// a deadline may be, its clock is known to some parts in a million, and an interrupt may have been
// pending when the deadline was replaced. So the machine takes the interrupt first, compares with
// `now`, and programs the rest, or hands it on to the kernel once.
//
// Where no local timer works, the first comparator of the HPET fires for all: it interrupts the
// boot processor at the earliest deadline of any, and that one tells those whose time has come
// ("broadcast"). So every processor is served, at the price of an interrupt between processors.
//
// Source: SDM volume 3A, sections 11.5.4 (timer) and 11.5.4.1 (TSC deadline).
#include "hal/clock.hpp"
#include "hal/upcalls.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/local_access.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"

namespace metal {

namespace {

constexpr u32 comparator = 0;

ClockState& state() {
    return machine().clock;
}

i64 earlier(i64 a, i64 b) {
    return a < b ? a : b;
}

/// How long it is to `deadline_ns`; nothing where that has come.
Nanos time_left(i64 deadline_ns) {
    i64 const now_ns = hal::Clock::now().value; // not negative
    return {deadline_ns > now_ns ? deadline_ns - now_ns : 0};
}

void program_local_timer(i64 deadline_ns) {
    bool const is_armed = deadline_ns != CpuBlock::never;
    u64 const ticks =
        is_armed ? ticks_until(state().timer_scale, time_left(deadline_ns), ~u32{0}) : 0;
    with_local_apic([&](auto& local) { local.start_timer(static_cast<u32>(ticks)); });
}

void program_deadline_register(i64 deadline_ns) {
    bool const is_armed = deadline_ns != CpuBlock::never;
    Nanos const left = is_armed ? time_left(deadline_ns) : Nanos{0};
    write_msr(
        msr::tsc_deadline,
        is_armed ? deadline_value(state().counter_scale, read_time_stamp(), left) : 0);
}

/// Sets the comparator for `deadline_ns`, or as far ahead as it reaches. The caller holds its lock.
/// False: that has passed already.
bool set_comparator(i64 deadline_ns) {
    ClockState& clock = state();
    using Timer = decltype(clock.hpet);
    clock.comparator_deadline_ns = deadline_ns;
    if (deadline_ns == CpuBlock::never) {
        return true; // it may fire once more, for nobody
    }
    auto const ahead =
        static_cast<u32>(ticks_until(clock.hpet_scale, time_left(deadline_ns), Timer::ticks_max));
    return clock.hpet.arm(comparator, clock.hpet.count_low() + ahead);
}

/// Tells every processor whose deadline has come, and sets the comparator for the next one.
void serve_all() {
    WordLockGuard const lock(state().comparator_busy);
    for (;;) { // each round has told somebody, or is the last
        i64 const now_ns = hal::Clock::now().value;
        i64 next_ns = CpuBlock::never;
        for (Atomic<CpuBlock*> const& entry : machine().processors.blocks) {
            CpuBlock* const block = entry.load(acquire);
            if (block == nullptr) {
                continue;
            }
            i64 const deadline_ns =
                earlier(block->deadline_ns.load(sequential), block->wake_ns.load(sequential));
            if (deadline_ns <= now_ns) {
                raise_on(*block, vectors::deadline);
            } else {
                next_ns = earlier(next_ns, deadline_ns);
            }
        }
        if (set_comparator(next_ns)) {
            return;
        }
    }
}

void program_hpet(i64 deadline_ns) {
    if (time_left(deadline_ns).value == 0) {
        raise_on(this_processor(), vectors::deadline);
        return;
    }
    WordLockGuard const lock(state().comparator_busy);
    if (deadline_ns < state().comparator_deadline_ns && !set_comparator(deadline_ns)) {
        raise_on(this_processor(), vectors::deadline);
    }
}

/// Makes the hardware fire when the earlier of this processor's deadlines has come.
void program(CpuBlock& self) {
    i64 const deadline_ns = earlier(self.deadline_ns.load(relaxed), self.wake_ns.load(relaxed));
    switch (state().deadlines) {
    case DeadlineKind::local_timer:
        program_local_timer(deadline_ns);
        break;
    case DeadlineKind::deadline_register:
        program_deadline_register(deadline_ns);
        break;
    case DeadlineKind::hpet:
        program_hpet(deadline_ns);
        break;
    case DeadlineKind::none:
        break;
    }
}

/// A line for the comparator, routed and let through. False: there is none.
bool open_comparator() {
    ClockState& clock = state();
    if (!clock.has_hpet) {
        return false;
    }
    std::optional<hal::Line> const line = clock.hpet.line(comparator);
    if (!line || !route_own_line({.line = *line}, vectors::broadcast)) {
        return false;
    }
    clock.hpet_line = *line;
    clock.hpet.prepare(comparator, *line);
    return true;
}

bool is_available(DeadlineKind kind) {
    switch (kind) {
    case DeadlineKind::local_timer:
        return state().timer_hz != 0;
    case DeadlineKind::deadline_register:
        return has(hal::Cpu::describe(), isa::Feature::tsc_deadline);
    case DeadlineKind::hpet:
        return open_comparator();
    case DeadlineKind::none:
        break;
    }
    return false;
}

void describe(ClockState& clock) {
    switch (clock.deadlines) {
    case DeadlineKind::local_timer:
        clock.description.event = "local APIC timer";
        clock.description.event_hz = clock.timer_hz;
        break;
    case DeadlineKind::deadline_register:
        clock.description.event = "TSC deadline";
        clock.description.event_hz = clock.counter_hz;
        break;
    case DeadlineKind::hpet:
        clock.description.event = "HPET, broadcast";
        clock.description.event_hz = clock.hpet.hz();
        break;
    case DeadlineKind::none:
        break;
    }
}

} // namespace

void prepare_deadlines() {
    u32 const entry = timer_entry(state().deadlines, vectors::deadline);
    with_local_apic([&](auto& local) {
        local.start_timer(0);
        local.set_timer(entry);
    });
    // The entry is in force before the deadline register is written (SDM 3A, section 11.5.4.1).
    asm volatile("mfence" : : : "memory");
}

bool select_deadlines(DeadlineKind kind) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    ClockState& clock = state();
    if (machine().controller.mode == LocalMode::none || !is_available(kind)) {
        return false;
    }
    if (clock.deadlines == DeadlineKind::hpet && kind != DeadlineKind::hpet) {
        clock.hpet.silence(comparator);
    }
    clock.deadlines = kind;
    clock.comparator_deadline_ns = CpuBlock::never;
    describe(clock);
    prepare_deadlines();
    program(this_processor());
    return true;
}

bool wait_for(Nanos time, bool (*is_done)(void*), void* argument) {
    constexpr i64 longest_sleep_ns = 100'000;
    i64 const end_ns = hal::Clock::now().value + time.value;
    while (!is_done(argument)) {
        i64 const now_ns = hal::Clock::now().value;
        if (now_ns >= end_ns) {
            return false;
        }
        bool const can_sleep = state().deadlines != DeadlineKind::none &&
                               hal::Interrupt::state() == hal::InterruptState::enabled;
        if (!can_sleep) {
            hal::Cpu::pause();
            continue;
        }
        InterruptsOff const off;
        CpuBlock& self = this_processor();
        self.wake_ns.store(earlier(end_ns, now_ns + longest_sleep_ns), sequential);
        program(self);
        sleep_until_interrupt();
        self.wake_ns.store(CpuBlock::never, relaxed);
    }
    return true;
}

} // namespace metal

extern "C" void metal_deadline(hal::Interruption const& interruption);
extern "C" void metal_broadcast(hal::Interruption const&);

void metal_deadline(hal::Interruption const& interruption) {
    using namespace metal;
    CpuBlock& self = this_processor();
    i64 const now_ns = hal::Clock::now().value;
    if (self.wake_ns.load(relaxed) <= now_ns) {
        self.wake_ns.store(CpuBlock::never, relaxed);
    }
    bool const is_due = self.deadline_ns.load(relaxed) <= now_ns;
    if (is_due) {
        self.deadline_ns.store(CpuBlock::never, relaxed);
    }
    if (!is_due || self.wake_ns.load(relaxed) != CpuBlock::never) {
        program(self);
    }
    if (is_due) {
        kernel_interrupt({vectors::deadline, interruption.frame});
    } else {
        with_local_apic([](auto& local) { local.finish(); });
    }
}

void metal_broadcast(hal::Interruption const&) {
    using namespace metal;
    if (state().deadlines == DeadlineKind::hpet) {
        serve_all();
    }
    with_local_apic([](auto& local) { local.finish(); });
}

namespace hal {

using namespace metal;

void Clock::arm(Nanos deadline) {
    CHECK(Interrupt::state() == InterruptState::disabled);
    CpuBlock& self = this_processor();
    self.deadline_ns.store(deadline.value, sequential);
    program(self);
}

void Clock::disarm() {
    arm({CpuBlock::never});
}

} // namespace hal
