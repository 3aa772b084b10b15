// The metal machine's other sources of time, which are taken where the better ones fail: deadlines
// that the HPET fires for all processors, and time that it counts.
#include "hal/conformance/interrupt_support.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "tests/support/test.hpp"

namespace {

using namespace twofold;
using conformance::comes_true;
using conformance::taken;
using hal::Clock;
using hal::Interrupt;
using hal::InterruptState;
using metal::DeadlineKind;

bool has_hpet() {
    return metal::machine().clock.has_hpet;
}

bool select(DeadlineKind kind) {
    InterruptState const before = Interrupt::disable();
    bool const is_selected = metal::select_deadlines(kind);
    Interrupt::restore(before);
    return is_selected;
}

/// All processors' deadlines come from the HPET for a scope. What the others had armed with their
/// own timers is armed again there: each is asked to.
class ByHpet {
public:
    ByHpet()
        : m_before(metal::machine().clock.deadlines), m_is_selected(select(DeadlineKind::hpet)) {
        each_arms_again();
    }
    ByHpet(ByHpet const&) = delete;
    ByHpet& operator=(ByHpet const&) = delete;
    ~ByHpet() {
        select(m_before);
        each_arms_again();
    }
    bool is_selected() const { return m_is_selected; }

private:
    static void each_arms_again() {
        conformance::for_each_other([](CpuId cpu) {
            auto const arm_again = [](void*) {
                metal::prepare_deadlines();
                Clock::arm({metal::this_processor().deadline_ns.load(relaxed)});
            };
            boot::current_kernel().cpus.call(cpu, arm_again, nullptr).value();
        });
    }

    DeadlineKind m_before;
    bool m_is_selected;
};

void arm_in(i64 ahead_ns) {
    InterruptState const before = Interrupt::disable();
    Clock::arm(Clock::now() + Nanos{ahead_ns});
    Interrupt::restore(before);
}

} // namespace

TEST(HpetDeadlines, AreRefusedWhereThereIsNone) {
    if (!has_hpet()) {
        DeadlineKind const before = metal::machine().clock.deadlines;
        EXPECT_FALSE(select(DeadlineKind::hpet));
        EXPECT_EQ(metal::machine().clock.deadlines, before);
    }
}

TEST(HpetDeadlines, FireOnceAndNotBefore) {
    if (!has_hpet()) {
        return; // refused above
    }
    ByHpet const scope;
    ASSERT_TRUE(scope.is_selected());
    EXPECT_EQ(Clock::describe().event, "HPET, broadcast");
    for (i64 const ahead_ns : {-1'000'000, 0, 1, 1'000, 300'000, 2'000'000}) {
        u64 const before = taken(Clock::vector());
        Nanos const deadline = Clock::now() + Nanos{ahead_ns};
        arm_in(ahead_ns);
        ASSERT_TRUE(comes_true([&] { return taken(Clock::vector()) != before; }));
        EXPECT_GE(Clock::now(), deadline);
    }
    u64 const before = taken(Clock::vector());
    arm_in(i64{1} << 52); // far beyond the comparator's 32 bits
    conformance::spend({300'000});
    EXPECT_EQ(taken(Clock::vector()), before);
}

TEST(HpetDeadlines, ServeEveryProcessorAtOnce) {
    if (!has_hpet()) {
        return; // refused above
    }
    ByHpet const scope;
    ASSERT_TRUE(scope.is_selected());
    auto& cpus = boot::current_kernel().cpus;
    u64 before[32]{};
    u64 const here = taken(Clock::vector());
    conformance::for_each_other([&](CpuId cpu) {
        if (cpu.value >= 32) {
            return;
        }
        auto const arm_there = [](void* count) {
            *static_cast<u64*>(count) = taken(Clock::vector());
            Clock::arm(Clock::now() + Nanos{500'000});
        };
        EXPECT_TRUE(cpus.call(cpu, arm_there, &before[cpu.value]).has_value());
    });
    arm_in(500'000);
    EXPECT_TRUE(comes_true([&] { return taken(Clock::vector()) != here; }));
    conformance::for_each_other([&](CpuId cpu) {
        if (cpu.value >= 32) {
            return;
        }
        EXPECT_TRUE(comes_true([&] {
            u64 now = 0;
            auto const look = [](void* to) { *static_cast<u64*>(to) = taken(Clock::vector()); };
            return cpus.call(cpu, look, &now).has_value() && now != before[cpu.value];
        }));
    });
}

TEST(HpetTime, GoesOnWhereTheCounterEnded) {
    metal::ClockState& clock = metal::machine().clock;
    hal::ClockDescription const described = clock.description;
    Nanos const before = Clock::now();
    if (!has_hpet()) {
        EXPECT_FALSE(Clock::distrust_counter());
        EXPECT_GE(Clock::now(), before);
        return;
    }
    ASSERT_TRUE(Clock::distrust_counter());
    EXPECT_TRUE(Clock::distrust_counter()); // again is nothing new
    EXPECT_EQ(Clock::describe().counter, "HPET");
    Nanos last = Clock::now();
    EXPECT_GE(last, before);
    for (unsigned i = 0; i < 1000; ++i) {
        Nanos const now = Clock::now();
        ASSERT_GE(now, last);
        last = now;
    }
    EXPECT_GT(last, before);
    u64 const taken_before = taken(Clock::vector());
    Nanos const deadline = Clock::now() + Nanos{200'000};
    arm_in(200'000);
    EXPECT_TRUE(comes_true([&] { return taken(Clock::vector()) != taken_before; }));
    EXPECT_GE(Clock::now(), deadline);

    // Back, once the counter has reached what was said meanwhile.
    Nanos const said = Clock::now();
    EXPECT_TRUE(comes_true([&] {
        return clock.counter_scale.nanos(metal::read_time_stamp_in_order()) >=
               said + Nanos{1'000'000};
    }));
    clock.counter.store(metal::CounterKind::time_stamp, release);
    clock.description = described;
    metal::this_processor().has_clock_floor = false;
    EXPECT_GE(Clock::now(), said);
}
