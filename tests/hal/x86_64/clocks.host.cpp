// Measuring clocks, converting between them and reading them, on models that share one timeline.
#include "tests/hal/x86_64/models/clock_models.hpp"

#include "hal/x86_64/devices/deadline.hpp"

namespace {

using namespace twofold;
using metal::CalibrationLimits;
using metal::Measurement;
using metal::TimeScale;
using models::Timeline;

using Hpet = metal::Hpet<models::HpetAccess>;
using PitPorts = models::PortsOf<models::LegacyTimerModel>;

constexpr u64 ps_per_ns = 1000;
constexpr u64 ps_per_us = 1'000'000;

u64 distance_ppm(u64 measured, u64 real) {
    u64 const distance = measured < real ? real - measured : measured - real;
    return (distance * 1'000'000 + real - 1) / real;
}

/// A machine as it is measured: what its clocks are and what it costs to ask.
struct Machine {
    u64 counter_hz;
    u64 timer_hz;
    u64 counter_cost_ps;
    u64 access_cost_ps;
};

constexpr Machine machines[] = {
    {1'000'000'000, 1'000'000'000, 5 * ps_per_ns, 5 * ps_per_ns}, // an emulator that counts
    {2'100'000'000, 1'000'000'000, 60 * ps_per_ns, 900 * ps_per_ns},
    {3'000'000'000, 100'000'000, 8 * ps_per_ns, 500 * ps_per_ns},
    {5'200'000'000, 38'400'000, 8 * ps_per_ns, 1'000 * ps_per_ns},
    {800'000'000, 133'333'333, 20 * ps_per_ns, 3'000 * ps_per_ns},
};
constexpr u32 hpet_periods_fs[] = {10'000'000, 69'841'279, 41'666'667, 52'083'333};

void expect_measured(Measurement const& result, Machine const& machine) {
    EXPECT_LE(distance_ppm(result.counter_hz, machine.counter_hz), result.error_ppm);
    // The timer is read at one moment of the instant, its own ticks apart.
    EXPECT_LE(distance_ppm(result.timer_hz, machine.timer_hz), 2 * result.error_ppm + 100);
}

} // namespace

TEST(Calibration, AgainstTheHpetWithinItsError) {
    for (Machine const& machine : machines) {
        for (u32 const period_fs : hpet_periods_fs) {
            Timeline time;
            models::HpetModel model{time, machine.access_cost_ps, period_fs};
            Hpet hpet(models::HpetAccess{&model});
            ASSERT_TRUE(hpet.answers());
            hpet.start();
            models::Processor clocks{
                time, machine.counter_hz, machine.timer_hz, machine.counter_cost_ps,
                machine.access_cost_ps};
            metal::HpetReference reference(hpet, clocks);
            u64 const began_ps = time.now_ps;
            auto const result = metal::calibrate(reference, {});
            ASSERT_TRUE(result.has_value());
            expect_measured(result.value(), machine);
            EXPECT_LE(result.value().error_ppm, 600u);
            EXPECT_LT(time.now_ps - began_ps, 160'000 * ps_per_us);
        }
    }
}

TEST(Calibration, AgainstThe8254WithinItsError) {
    for (Machine const& machine : machines) {
        Timeline time;
        models::LegacyTimerModel model{time, machine.access_cost_ps};
        metal::LegacyTimer timer(PitPorts{&model});
        timer.start();
        models::Processor clocks{
            time, machine.counter_hz, machine.timer_hz, machine.counter_cost_ps,
            machine.access_cost_ps};
        metal::LegacyTimerReference reference(timer, clocks);
        auto const result = metal::calibrate(reference, {});
        ASSERT_TRUE(result.has_value());
        expect_measured(result.value(), machine);
        EXPECT_LE(result.value().error_ppm, 1000u);
    }
}

TEST(Calibration, AgainstACounterOfKnownFrequency) {
    for (Machine const& machine : machines) {
        Timeline time;
        models::Processor clocks{
            time, machine.counter_hz, machine.timer_hz, machine.counter_cost_ps,
            machine.access_cost_ps};
        metal::CounterReference reference(machine.counter_hz, clocks);
        auto const result = metal::calibrate(reference, {});
        ASSERT_TRUE(result.has_value());
        expect_measured(result.value(), machine);
    }
}

TEST(Calibration, AnEmulatorIsMeasuredInFewInstructions) {
    // One instruction a nanosecond: what a boot may spend on it (tests/twofold/test_figures.py).
    Machine const& emulator = machines[0];
    Timeline time;
    models::LegacyTimerModel model{time, emulator.access_cost_ps};
    metal::LegacyTimer timer(PitPorts{&model});
    timer.start();
    models::Processor clocks{
        time, emulator.counter_hz, emulator.timer_hz, emulator.counter_cost_ps,
        emulator.access_cost_ps};
    metal::LegacyTimerReference reference(timer, clocks);
    u64 const began_ps = time.now_ps;
    ASSERT_TRUE(metal::calibrate(reference, {}).has_value());
    EXPECT_LT(time.now_ps - began_ps, 500 * ps_per_us);
}

TEST(Calibration, HoldUpsMakeItLongerAndNotWrong) {
    for (u64 seed = 1; seed <= 50; ++seed) {
        Timeline time;
        time.random.seed(seed);
        time.hold_ups_per_thousand = 20;
        time.hold_up_ps = 150 * ps_per_us; // firmware, or a host that has other things to do
        Machine const& machine = machines[2];
        models::HpetModel model{time, machine.access_cost_ps, hpet_periods_fs[1]};
        Hpet hpet(models::HpetAccess{&model});
        models::Processor clocks{
            time, machine.counter_hz, machine.timer_hz, machine.counter_cost_ps,
            machine.access_cost_ps};
        metal::HpetReference reference(hpet, clocks);
        auto const result = metal::calibrate(reference, {});
        ASSERT_TRUE(result.has_value());
        EXPECT_LE(
            distance_ppm(result.value().counter_hz, machine.counter_hz), result.value().error_ppm);
        EXPECT_LE(result.value().error_ppm, 2'000u) << "seed " << seed;
    }
}

TEST(Calibration, AReferenceThatStandsStillIsRefused) {
    Timeline time;
    models::Processor clocks{time, 1'000'000'000, 1'000'000'000, ps_per_ns, ps_per_ns};
    models::HpetModel model{time, ps_per_ns, hpet_periods_fs[0]};
    model.stands_still = true;
    Hpet hpet(models::HpetAccess{&model});
    metal::HpetReference still(hpet, clocks);
    EXPECT_EQ(metal::calibrate(still, {}).error(), Error::not_supported);

    models::LegacyTimerModel missing{time, ps_per_ns};
    missing.is_missing = true;
    metal::LegacyTimer timer(PitPorts{&missing});
    metal::LegacyTimerReference nothing(timer, clocks);
    EXPECT_EQ(metal::calibrate(nothing, {}).error(), Error::not_supported);
}

TEST(Calibration, ATimerThatStandsStillIsTold) {
    Timeline time;
    models::HpetModel model{time, ps_per_ns, hpet_periods_fs[0]};
    Hpet hpet(models::HpetAccess{&model});
    models::Processor clocks{time, 2'000'000'000, 0, ps_per_ns, ps_per_ns};
    metal::HpetReference reference(hpet, clocks);
    auto const result = metal::calibrate(reference, {});
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result.value().timer_hz, 0u);
}

TEST(Calibration, TheMiddleOfThreeWithTheirSpread) {
    Measurement rounds[] = {{1000, 70, 3}, {1010, 50, 4}, {990, 60, 2}};
    Measurement const result = metal::combine(rounds);
    EXPECT_EQ(result.counter_hz, 1000u);
    EXPECT_EQ(result.timer_hz, 60u);
    EXPECT_EQ(result.error_ppm, 20'000u);
    rounds[1].timer_hz = 0;
    EXPECT_EQ(metal::combine(rounds).timer_hz, 0u);
}

TEST(TimeScale, MatchesWideArithmetic) {
    using Wide = unsigned __int128;
    std::mt19937_64 random(7);
    for (u64 const hz :
         {u64{100'000}, u64{14'318'180}, u64{1'000'000'000}, u64{2'893'202'117}, u64{5'000'000'000},
          u64{100'000'000'000}}) {
        TimeScale const scale(hz);
        for (unsigned i = 0; i < 1000; ++i) {
            u64 const ticks = random() >> random() % 40;
            Wide const exact = Wide{ticks} * 1'000'000'000 / hz;
            auto const most = static_cast<Wide>(~u64{0} >> 1);
            auto const got = static_cast<u64>(scale.nanos(ticks).value);
            if (exact > most + most / 1000) {
                EXPECT_EQ(got, ~u64{0} >> 1);
                continue;
            }
            auto const wanted = static_cast<u64>(exact);
            // The factor is rounded down: to one part in 2^32 / (10^9 / hz).
            u64 const slack = wanted / ((u64{1'000'000'000} << 32) / hz) + 1;
            EXPECT_LE(got, wanted);
            EXPECT_GE(got + slack, wanted < (~u64{0} >> 1) ? wanted : ~u64{0} >> 1);
        }
    }
}

TEST(TimeScale, IsExactAtOneGigahertz) {
    TimeScale const scale(1'000'000'000);
    EXPECT_EQ(scale.nanos(~u64{0} >> 2).value, static_cast<i64>(~u64{0} >> 2));
    EXPECT_EQ(scale.ticks({12'345}), 12'345u);
    EXPECT_EQ(scale.nanos(~u64{0}).value, static_cast<i64>(~u64{0} >> 1));
    EXPECT_EQ(TimeScale(5'000'000'000).ticks({static_cast<i64>(~u64{0} >> 1)}), ~u64{0});
}

TEST(Deadlines, FireHardlyBeforeOrAfter) {
    std::mt19937_64 random(11);
    for (u64 const hz :
         {u64{14'318'180}, u64{100'000'000}, u64{1'000'000'000}, u64{2'900'000'017}}) {
        TimeScale const scale(hz);
        for (unsigned i = 0; i < 2000; ++i) {
            Nanos const left{static_cast<i64>(random() % 40'000'000'000)};
            u64 const ticks = metal::ticks_until(scale, left, ~u64{0});
            // What went by when that many have: the counter stood anywhere in a tick. The factor
            // is rounded.
            Nanos const rounding{left.value / 10'000'000 + 1};
            EXPECT_GE(scale.nanos(ticks + 1) + rounding, left);
            EXPECT_LE(scale.nanos(ticks - 1), left);
        }
    }
}

TEST(Deadlines, BeyondTheTimersRangeItFiresBefore) {
    TimeScale const scale(1'000'000'000);
    constexpr u64 most = ~u32{0};
    EXPECT_EQ(metal::ticks_until(scale, {0}, most), 1u); // 0 would stop it
    EXPECT_EQ(metal::ticks_until(scale, {i64{1} << 32}, most), most);
    EXPECT_EQ(metal::ticks_until(scale, {static_cast<i64>(most) - 1}, most), most);
    EXPECT_EQ(metal::ticks_until(scale, {static_cast<i64>(~u64{0} >> 1)}, most), most);
}

TEST(Deadlines, TheDeadlineRegisterHoldsTheCountersValue) {
    TimeScale const scale(3'000'000'000);
    EXPECT_EQ(metal::deadline_value(scale, 1'000'000, {1000}), 1'003'001u);
    EXPECT_EQ(metal::deadline_value(scale, 5, {0}), 6u);
    i64 const most_ns = static_cast<i64>(~u64{0} >> 1);
    EXPECT_EQ(metal::deadline_value(scale, 1'000'000, {most_ns}), ~u64{0});
    EXPECT_EQ(metal::deadline_value(scale, ~u64{0} - 1, {1'000'000}), ~u64{0});
}

TEST(HpetDriver, KnowsWhatAnswers) {
    Timeline time;
    models::HpetModel model{time, 0, 10'000'000};
    Hpet hpet(models::HpetAccess{&model});
    EXPECT_TRUE(hpet.answers());
    EXPECT_EQ(hpet.hz(), 100'000'000u);
    EXPECT_EQ(hpet.comparators(), 3u);
    EXPECT_TRUE(hpet.is_wide());
    for (u32 const nothing : {0u, 100'000'001u, ~0u}) {
        model.period_fs = nothing;
        EXPECT_FALSE(hpet.answers());
    }
}

TEST(HpetDriver, StartsTheCounterAndSilencesTheComparators) {
    Timeline time;
    models::HpetModel model{time, 0, 10'000'000};
    model.registers[0x10] = 0x2; // legacy replacement
    model.registers[0x100] = model.registers[0x120] = model.registers[0x140] = 0x30 | 0x4;
    Hpet hpet(models::HpetAccess{&model});
    hpet.start();
    EXPECT_EQ(model.registers[0x10], 0x1u);
    EXPECT_EQ(model.registers[0x100] & 0x4, 0u);
    EXPECT_EQ(model.registers[0x120] & 0x4, 0u);
    EXPECT_EQ(model.registers[0x140] & 0x4, 0u);
}

TEST(HpetDriver, ReadsBothHalvesOfOneCount) {
    for (u64 at = 0; at < 40; ++at) {
        Timeline time;
        time.now_ps = 0;
        models::HpetModel model{time, 10'000, 10'000'000}; // a tick an access
        model.start = (u64{7} << 32) - at;
        Hpet hpet(models::HpetAccess{&model});
        u64 const before = model.count();
        u64 const count = hpet.count();
        EXPECT_GE(count, before);
        EXPECT_LE(count, model.count());
    }
}

TEST(HpetDriver, ChoosesALineThatNoDeviceShares) {
    Timeline time;
    models::HpetModel model{time, 0, 10'000'000};
    Hpet hpet(models::HpetAccess{&model});
    model.registers[0x104] = 0x00ff'0104;
    EXPECT_EQ(hpet.line(0), hal::Line{2});
    model.registers[0x104] = 0x00ff'0100;
    EXPECT_EQ(hpet.line(0), hal::Line{8});
    model.registers[0x104] = 0x00f0'0000;
    EXPECT_EQ(hpet.line(0), hal::Line{23});
    model.registers[0x104] = 0;
    EXPECT_FALSE(hpet.line(0).has_value());
}

TEST(HpetDriver, PreparesAComparatorForSingleEdges) {
    Timeline time;
    models::HpetModel model{time, 0, 10'000'000};
    model.registers[0x100] = 1u << 1 | 1u << 3 | 31u << 9 | 1u << 14 | 1u << 5;
    Hpet hpet(models::HpetAccess{&model});
    hpet.prepare(0, {8});
    EXPECT_EQ(model.registers[0x100], 8u << 9 | 1u << 8 | 1u << 5 | 1u << 2);
    hpet.silence(0);
    EXPECT_EQ(model.registers[0x100], 8u << 9 | 1u << 8 | 1u << 5);
}

TEST(HpetDriver, TellsWhetherAComparisonIsStillToCome) {
    Timeline time;
    models::HpetModel model{time, 100 * ps_per_ns, 10'000'000}; // 10 ticks an access
    Hpet hpet(models::HpetAccess{&model});
    EXPECT_TRUE(hpet.arm(0, hpet.count_low() + 1000));
    EXPECT_TRUE(hpet.arm(0, hpet.count_low() + Hpet::ticks_max));
    EXPECT_FALSE(hpet.arm(0, hpet.count_low() + 5)); // passed while it was written
    EXPECT_FALSE(hpet.arm(0, hpet.count_low()));
}

namespace {

metal::WallClockRegisters bcd() {
    return {
        .second = 0x17,
        .minute = 0x05,
        .hour = 0x03,
        .day = 0x28,
        .month = 0x11,
        .year = 0x26,
        .century = 0x20,
        .status_b = metal::wall_clock_bit::hours_24};
}

i64 seconds_of(metal::WallClockRegisters const& registers) {
    auto const time = metal::decode_wall_clock(registers);
    return time ? time->value / 1'000'000'000 : -1;
}

} // namespace

TEST(WallClock, DecodesEveryMode) {
    constexpr i64 expected = 1'795'835'117; // 2026-11-28 03:05:17 UTC
    EXPECT_EQ(seconds_of(bcd()), expected);
    metal::WallClockRegisters const binary{
        .second = 17,
        .minute = 5,
        .hour = 3,
        .day = 28,
        .month = 11,
        .year = 26,
        .century = 20,
        .status_b = metal::wall_clock_bit::hours_24 | metal::wall_clock_bit::binary};
    EXPECT_EQ(seconds_of(binary), expected);
    metal::WallClockRegisters twelve = bcd();
    twelve.status_b = 0;
    EXPECT_EQ(seconds_of(twelve), expected); // 3 in the morning
    twelve.hour = 0x83;
    EXPECT_EQ(seconds_of(twelve), expected + 12 * 3600);
    twelve.hour = 0x12; // midnight
    EXPECT_EQ(seconds_of(twelve), expected - 3 * 3600);
    twelve.hour = 0x92; // noon
    EXPECT_EQ(seconds_of(twelve), expected + 9 * 3600);
}

TEST(WallClock, KnowsCenturiesAndLeapYears) {
    metal::WallClockRegisters registers = bcd();
    registers.century = std::nullopt;
    EXPECT_EQ(seconds_of(registers), 1'795'835'117);
    registers = {
        .second = 0x59,
        .minute = 0x59,
        .hour = 0x23,
        .day = 0x31,
        .month = 0x12,
        .year = 0x99,
        .century = std::nullopt,
        .status_b = metal::wall_clock_bit::hours_24};
    EXPECT_EQ(seconds_of(registers), 946'684'799); // 1999
    registers.century = 0x20;
    EXPECT_EQ(seconds_of(registers), 4'102'444'799); // 2099
    registers = {
        .second = 0,
        .minute = 0,
        .hour = 0x12,
        .day = 0x29,
        .month = 0x02,
        .year = 0x00,
        .century = 0x20,
        .status_b = metal::wall_clock_bit::hours_24};
    EXPECT_EQ(seconds_of(registers), 951'825'600); // 2000-02-29 12:00
    registers.century = 0x21;                      // 2100 has no such day
    EXPECT_EQ(seconds_of(registers), -1);
    registers.day = 0x01;
    registers.month = 0x03;
    registers.hour = 0;
    EXPECT_EQ(seconds_of(registers), 4'107'542'400);
}

TEST(WallClock, RefusesWhatIsNoTime) {
    auto const changed = [](u8 metal::WallClockRegisters::* field, u8 value) {
        metal::WallClockRegisters registers = bcd();
        registers.*field = value;
        return seconds_of(registers);
    };
    using R = metal::WallClockRegisters;
    EXPECT_EQ(changed(&R::second, 0x61), -1);
    EXPECT_EQ(changed(&R::second, 0x0a), -1);
    EXPECT_EQ(changed(&R::minute, 0x60), -1);
    EXPECT_EQ(changed(&R::hour, 0x24), -1);
    EXPECT_EQ(changed(&R::day, 0), -1);
    EXPECT_EQ(changed(&R::day, 0x31), -1); // November has 30
    EXPECT_EQ(changed(&R::month, 0), -1);
    EXPECT_EQ(changed(&R::month, 0x13), -1);
    EXPECT_EQ(changed(&R::year, 0xff), -1);
    metal::WallClockRegisters registers = bcd();
    registers.century = 0x18;
    EXPECT_EQ(seconds_of(registers), -1);
    registers = bcd();
    registers.status_b = 0;
    registers.hour = 0x13; // of 12
    EXPECT_EQ(seconds_of(registers), -1);
}

TEST(WallClock, EveryDayHasItsNumber) {
    u64 number = 0;
    for (u32 year = 1970; year < 2200; ++year) {
        for (u32 month = 1; month <= 12; ++month) {
            for (u32 day = 1; day <= metal::days_of_month(year, month); ++day) {
                ASSERT_EQ(metal::days_since_1970(year, month, day), number);
                ++number;
            }
        }
    }
}

TEST(WallClock, IsNotReadInTheMiddleOfAnUpdate) {
    models::WallClockModel model;
    model.registers = {{0, 0x17}, {2, 0x05}, {4, 0x03},    {7, 0x28},
                       {8, 0x11}, {9, 0x26}, {0x0b, 0x02}, {0x32, 0x20}};
    model.looks_until_updated = 3;
    models::PortsOf<models::WallClockModel> ports{&model};
    u32 looks = 0;
    std::optional<metal::WallClockRegisters> registers;
    while (!registers) {
        registers = metal::read_wall_clock(ports, 0x32);
        ASSERT_LT(++looks, 10u);
    }
    EXPECT_EQ(looks, 4u);
    EXPECT_EQ(seconds_of(*registers), 1'795'835'117);
    registers = metal::read_wall_clock(ports, 0);
    ASSERT_TRUE(registers.has_value());
    EXPECT_FALSE(registers->century.has_value());
}
