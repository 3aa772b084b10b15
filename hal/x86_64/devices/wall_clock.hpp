// The clock of the CMOS memory: what day and time it is, to a second.
//
// Invariant: one reading is made while no update is due, by a caller that holds the lock of the
// ports with interrupts disabled; a reading that comes upon an update is repeated after the lock
// was given up, so that nobody waits for one behind the lock.
//
// Source: Motorola MC146818A data sheet; ACPI 6.5, section 5.2.9 (CENTURY).
#pragma once

#include "core/base/base.hpp"
#include "hal/x86_64/devices/legacy_timer.hpp"

#include <optional>

namespace metal {

/// The registers as they are read.
struct WallClockRegisters {
    u8 second = 0, minute = 0, hour = 0, day = 0, month = 0, year = 0;
    std::optional<u8> century;
    u8 status_b = 0; ///< how the others are to be read
};

/// Bits of status register B.
namespace wall_clock_bit {

inline constexpr u8 hours_24 = 0x02;
inline constexpr u8 binary = 0x04;
inline constexpr u8 afternoon = 0x80; ///< of the hour, where it has 12

} // namespace wall_clock_bit

/// Days from 1970-01-01 to a date of the Gregorian calendar, year 1970 and later. Pure. O(1).
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
constexpr u64 days_since_1970(u32 year, u32 month, u32 day) {
    CHECK(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
    u32 const shifted_year = month <= 2 ? year - 1 : year; // the year begins in March
    u32 const era = shifted_year / 400;
    u32 const year_of_era = shifted_year % 400;
    u32 const month_from_march = (month + 9) % 12;
    u32 const day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    u32 const day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    constexpr u64 days_before_1970 = 719'468;
    return u64{era} * 146'097 + day_of_era - days_before_1970;
}

constexpr u32 days_of_month(u32 year, u32 month) {
    constexpr u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool const is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

/// What the registers say; nothing if they say no time. Pure. O(1).
constexpr std::optional<Nanos> decode_wall_clock(WallClockRegisters const& registers) {
    bool is_sound = true;
    auto const number = [&](u8 value) -> u32 {
        if ((registers.status_b & wall_clock_bit::binary) != 0) {
            return value;
        }
        is_sound = is_sound && (value & 0xf) < 10 && value >> 4 < 10;
        return (value >> 4) * 10u + (value & 0xf);
    };
    u32 hour = 0;
    if ((registers.status_b & wall_clock_bit::hours_24) != 0) {
        hour = number(registers.hour);
    } else {
        hour = number(registers.hour & ~wall_clock_bit::afternoon);
        is_sound = is_sound && hour >= 1 && hour <= 12;
        bool const is_afternoon = (registers.hour & wall_clock_bit::afternoon) != 0;
        hour = hour % 12 + (is_afternoon ? 12 : 0);
    }
    u32 const second = number(registers.second), minute = number(registers.minute);
    u32 const day = number(registers.day), month = number(registers.month);
    u32 const two_digits = number(registers.year);
    // Without a century the years of this clock's kind are those from 1970 on.
    u32 const century =
        registers.century ? number(*registers.century) : (two_digits >= 70 ? 19u : 20u);
    u32 const year = century * 100 + two_digits;
    if (!is_sound || second > 60 || minute > 59 || hour > 23 || two_digits > 99 || year < 1970 ||
        month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) {
        return std::nullopt;
    }
    u64 const seconds =
        days_since_1970(year, month, day) * 86'400 + hour * 3'600 + minute * 60 + second;
    constexpr u64 nanos_per_second = 1'000'000'000;
    if (seconds > (~u64{0} >> 1) / nanos_per_second) {
        return std::nullopt;
    }
    return Nanos{static_cast<i64>(seconds * nanos_per_second)};
}

/// Reads the clock once; nothing while an update is due. `century` is the register that holds it,
/// 0 for none. O(1).
template<BytePorts Ports>
std::optional<WallClockRegisters> read_wall_clock(Ports& ports, u8 century) {
    constexpr u16 index_port = 0x70, data_port = 0x71;
    constexpr u8 status_a = 0x0a, status_b = 0x0b, update_in_progress = 0x80;
    // Bit 7 of the index would hold non-maskable interrupts back.
    auto const read = [&](u8 index) {
        ports.write(index_port, index & 0x7f);
        return ports.read(data_port);
    };
    if ((read(status_a) & update_in_progress) != 0) {
        return std::nullopt;
    }
    // From here on none begins for 244 microseconds.
    WallClockRegisters registers{
        .second = read(0x00),
        .minute = read(0x02),
        .hour = read(0x04),
        .day = read(0x07),
        .month = read(0x08),
        .year = read(0x09),
        .century = std::nullopt,
        .status_b = read(status_b)};
    if (century != 0) {
        registers.century = read(century);
    }
    return registers;
}

} // namespace metal
