// A machine's clocks on a common time that only moves when something is accessed: the processor's
// counter and its timer, an HPET, an 8254 and a CMOS clock.
#pragma once

#include "hal/x86_64/devices/references.hpp"
#include "hal/x86_64/devices/wall_clock.hpp"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

namespace models {

using namespace twofold;

/// The time, and how long the processor is held up now and then.
struct Timeline {
    using Wide = unsigned __int128;

    u64 now_ps = 1'234'567'890'123;
    u32 hold_ups_per_thousand = 0; ///< accesses that somebody else comes in between
    u64 hold_up_ps = 0;
    std::mt19937_64 random{1};

    void pass(u64 duration_ps) {
        now_ps += duration_ps;
        if (random() % 1000 < hold_ups_per_thousand) {
            now_ps += hold_up_ps;
        }
    }
    /// What a clock of that frequency shows.
    u64 ticks(u64 hz) const { return static_cast<u64>(Wide{now_ps} * hz / 1'000'000'000'000); }
};

/// The time-stamp counter and the local timer.
struct Processor {
    Timeline& time;
    u64 counter_hz;
    u64 timer_hz;
    u64 counter_cost_ps;
    u64 timer_cost_ps;

    u64 counter() {
        time.pass(counter_cost_ps);
        return time.ticks(counter_hz);
    }
    u32 timer() {
        time.pass(timer_cost_ps);
        return ~static_cast<u32>(time.ticks(timer_hz));
    }
};

struct HpetModel {
    Timeline& time;
    u64 access_cost_ps;
    u32 period_fs;
    bool is_wide = true;
    bool stands_still = false;
    u64 start = 0; ///< added to the count
    std::map<u32, u32> registers{};

    u64 count() const {
        u64 const hz = 1'000'000'000'000'000 / period_fs;
        return stands_still ? start : start + time.ticks(hz);
    }
    u32 read(u32 offset) {
        time.pass(access_cost_ps);
        switch (offset) {
        case 0x00:
            return 0x8086'0201 | (is_wide ? 1u << 13 : 0); // 3 comparators
        case 0x04:
            return period_fs;
        case 0xf0:
            return static_cast<u32>(count());
        case 0xf4:
            return static_cast<u32>(count() >> 32);
        default:
            return registers[offset];
        }
    }
    void write(u32 offset, u32 value) {
        time.pass(access_cost_ps);
        EXPECT_NE(offset & ~4u, 0x00u) << "the capabilities can only be read";
        EXPECT_NE(offset & ~4u, 0xf0u) << "the count is not to be changed";
        registers[offset] = value;
    }
};

struct HpetAccess {
    HpetModel* model = nullptr;
    u32 read(u32 offset) { return model->read(offset); }
    void write(u32 offset, u32 value) { model->write(offset, value); }
};

/// Channel 0 of an 8254, by its ports.
struct LegacyTimerModel {
    Timeline& time;
    u64 access_cost_ps;
    bool is_missing = false;
    u64 began = 0;
    std::vector<u8> pending{};
    u32 written = 0; ///< bytes of the count

    u8 read(u16 port) {
        time.pass(access_cost_ps);
        EXPECT_EQ(port, 0x40);
        if (is_missing || pending.empty()) {
            return 0xff;
        }
        u8 const byte = pending.back();
        pending.pop_back();
        return byte;
    }
    void write(u16 port, u8 value) {
        time.pass(access_cost_ps);
        if (is_missing) {
            return;
        }
        if (port == 0x40) {
            ++written;
            began = time.ticks(1'193'182);
            return;
        }
        EXPECT_EQ(port, 0x43);
        if (value == 0x30) {
            written = 0;
        } else {
            EXPECT_EQ(value, 0x00) << "only the latch command is expected";
            EXPECT_EQ(written, 2u) << "the count was not set";
            EXPECT_TRUE(pending.empty()) << "the last count was not read";
            auto const count = static_cast<u16>(began - time.ticks(1'193'182));
            pending = {static_cast<u8>(count >> 8), static_cast<u8>(count)};
        }
    }
};

/// A CMOS clock with registers that stand still, and an update that takes some looks.
struct WallClockModel {
    std::map<u8, u8> registers{};
    u32 looks_until_updated = 0;
    u8 index = 0;

    u8 read(u16 port) {
        EXPECT_EQ(port, 0x71);
        if (index == 0x0a) {
            bool const is_updating = looks_until_updated > 0;
            looks_until_updated -= is_updating ? 1 : 0;
            return is_updating ? 0xa6 : 0x26;
        }
        EXPECT_EQ(looks_until_updated, 0u) << "read in the middle of an update";
        return registers[index];
    }
    void write(u16 port, u8 value) {
        EXPECT_EQ(port, 0x70) << "nothing is written but the index";
        EXPECT_EQ(value & 0x80, 0) << "non-maskable interrupts stay enabled";
        index = value;
    }
};

/// Any of the models behind ports.
template<class Model>
struct PortsOf {
    Model* model;
    u8 read(u16 port) { return model->read(port); }
    void write(u16 port, u8 value) { model->write(port, value); }
};

} // namespace models
