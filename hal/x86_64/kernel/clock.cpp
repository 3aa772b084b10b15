// Time: what the clocks are, and what they say.
//
// Source: SDM volume 3B, section 18.17 (time-stamp counter).
#include "hal/clock.hpp"

#include "hal/x86_64/devices/references.hpp"
#include "hal/x86_64/devices/wall_clock.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/local_access.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"
#include "isa/counter_frequency.hpp"

namespace metal {

namespace {

struct MachinePorts {
    u8 read(u16 port) { return read_port(port); }
    void write(u16 port, u8 value) { write_port(port, value); }
};

/// What is measured: the time-stamp counter and, where there is one, the local APIC's timer.
struct MachineClocks {
    bool has_timer;

    u64 counter() { return read_time_stamp_in_order(); }
    [[gnu::noinline]] u32 timer() {
        return has_timer ? with_local_apic([](auto& local) { return local.timer_count(); }) : 0;
    }
};

/// Any of the references, so that measuring is compiled once.
class AnyReference {
public:
    template<Reference R>
    explicit AnyReference(R& reference)
        : m_reference(&reference),
          m_hz(reference.hz()),
          m_catch([](void* object) { return static_cast<R*>(object)->catch_instant(); }) {}

    u64 hz() const { return m_hz; }
    Result<Instant> catch_instant() { return m_catch(m_reference); }

private:
    void* m_reference;
    u64 m_hz;
    Result<Instant> (*m_catch)(void*);
};

[[gnu::noinline]] Result<Measurement> calibrate_against(AnyReference reference) {
    return calibrate(reference, {});
}

ClockState& clock_state() {
    return machine().clock;
}

/// What CPUID says of the counter, in Hz; 0: nothing.
u64 reported_hz() {
    u32 const highest = isa::cpuid(0, 0).eax;
    isa::CpuidLeaf const ratio = highest >= 0x15 ? isa::cpuid(0x15, 0) : isa::CpuidLeaf{};
    isa::CpuidLeaf const frequencies = highest >= 0x16 ? isa::cpuid(0x16, 0) : isa::CpuidLeaf{};
    return isa::time_stamp_hz(ratio, frequencies);
}

/// Measures against the best clock there is, and says which that was. Errors: not_supported.
Result<Measurement> measure_clocks(ClockState& clock, MachineClocks& clocks) {
    if (clock.has_hpet) {
        HpetReference reference(clock.hpet, clocks);
        if (auto const result = calibrate_against(AnyReference(reference))) {
            clock.description.reference = "HPET";
            return result;
        }
        clock.has_hpet = false; // it stands still
    }
    if (clock.plan.has_legacy_timer) {
        LegacyTimer timer(MachinePorts{});
        timer.start();
        LegacyTimerReference reference(timer, clocks);
        if (auto const result = calibrate_against(AnyReference(reference))) {
            clock.description.reference = "PIT";
            return result;
        }
    }
    u64 const hz = reported_hz();
    if (hz < TimeScale::hz_min || hz > TimeScale::hz_max) {
        return Error::not_supported;
    }
    CounterReference reference(hz, clocks);
    Measurement result = TRY(calibrate_against(AnyReference(reference)));
    result.counter_hz = hz;
    clock.description.reference = "CPUID";
    return result;
}

void open_hpet(ClockState& clock) {
    if (clock.plan.hpet == VirtAddr{}) {
        return;
    }
    clock.hpet = Hpet(MappedHpetRegisters{clock.plan.hpet});
    clock.has_hpet = clock.hpet.answers();
    if (clock.has_hpet) {
        clock.hpet.start();
        clock.hpet_scale = TimeScale(clock.hpet.hz());
    }
}

/// The local timer counts down from its largest count, without an interrupt, to be measured.
void start_local_timer() {
    with_local_apic([](auto& local) {
        local.set_timer(local_bit::masked | vectors::deadline.value);
        local.start_timer(~u32{0});
    });
}

bool is_usable(u64 hz) {
    return hz >= TimeScale::hz_min && hz <= TimeScale::hz_max;
}

/// What HPET and offset say; never less than what this processor said before.
Nanos read_hpet_time(ClockState& clock) {
    CpuBlock& self = this_processor();
    if (!self.has_clock_floor) { // twice where an interrupt asks too: the later is the higher
        self.clock_floor_ns = clock.counter_scale.nanos(read_time_stamp_in_order()).value;
        self.has_clock_floor = true;
    }
    i64 const time = clock.hpet_scale.nanos(clock.hpet.count()).value + clock.hpet_offset_ns;
    return {time < self.clock_floor_ns ? self.clock_floor_ns : time};
}

} // namespace

} // namespace metal

namespace hal {

using namespace metal;

Result<void> Clock::adopt(ClockPlan const& plan) {
    ClockState& clock = metal::clock_state();
    if (clock.counter.load(relaxed) != CounterKind::none) {
        return Error::invalid_state;
    }
    clock.plan = plan;
    open_hpet(clock);
    MachineClocks clocks{.has_timer = machine().controller.mode != LocalMode::none};
    if (clocks.has_timer) {
        start_local_timer();
    }
    Measurement const measured = TRY(measure_clocks(clock, clocks));
    if (!is_usable(measured.counter_hz)) {
        return Error::not_supported;
    }
    CpuDescription const cpu = Cpu::describe();
    clock.counter_scale = TimeScale(measured.counter_hz);
    clock.counter_hz = measured.counter_hz;
    clock.description.counter = "TSC";
    clock.description.event = "none";
    clock.description.counter_hz = measured.counter_hz;
    clock.description.error_ppm = measured.error_ppm;
    clock.description.counter_is_invariant = has(cpu, isa::Feature::invariant_tsc);
    if (is_usable(measured.timer_hz)) {
        clock.timer_scale = TimeScale(measured.timer_hz);
        clock.timer_hz = measured.timer_hz;
    }
    clock.counter.store(CounterKind::time_stamp, release);
    InterruptsOff const off;
    // The first that there is, in the order of what they cost.
    static_cast<void>(
        select_deadlines(DeadlineKind::deadline_register) ||
        select_deadlines(DeadlineKind::local_timer) || select_deadlines(DeadlineKind::hpet));
    return {};
}

ClockDescription Clock::describe() {
    return metal::clock_state().description;
}

Nanos Clock::now() {
    ClockState& clock = metal::clock_state();
    CounterKind const kind = clock.counter.load(acquire);
    if (kind == CounterKind::time_stamp) [[likely]] {
        return clock.counter_scale.nanos(read_time_stamp_in_order());
    }
    return kind == CounterKind::hpet ? read_hpet_time(clock) : Nanos{0};
}

bool Clock::distrust_counter() {
    ClockState& clock = metal::clock_state();
    if (clock.counter.load(acquire) == CounterKind::hpet) {
        return true;
    }
    if (!clock.has_hpet || !clock.hpet.is_wide()) {
        return false; // 32 bits end too soon
    }
    clock.hpet_offset_ns = now().value - clock.hpet_scale.nanos(clock.hpet.count()).value;
    clock.description.counter = "HPET";
    clock.description.counter_hz = clock.hpet.hz();
    clock.counter.store(CounterKind::hpet, release);
    return true;
}

Vector Clock::vector() {
    return vectors::deadline;
}

std::optional<Nanos> Clock::wall() {
    ClockState& clock = metal::clock_state();
    if (!clock.plan.has_wall_clock || clock.counter.load(acquire) == CounterKind::none) {
        return std::nullopt;
    }
    // An update is announced 244 microseconds ahead and takes two milliseconds; a register takes
    // one microsecond to read, or some nanoseconds where it is emulated.
    constexpr u32 tries = 20'000;
    MachinePorts ports;
    for (u32 attempt = 0; attempt < tries; ++attempt) {
        std::optional<WallClockRegisters> registers;
        {
            WordLockGuard const lock(clock.wall_busy);
            registers = read_wall_clock(ports, clock.plan.century_register);
        }
        if (registers) {
            return decode_wall_clock(*registers);
        }
        Cpu::pause();
    }
    return std::nullopt;
}

} // namespace hal
