// What the parts of the stub share.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace metal {

using namespace twofold;

/// Says why the machine cannot start, in one line on the serial port, and ends the run with
/// status 71.
[[noreturn]] void give_up(std::string_view reason, std::string_view detail = {});

/// Where the stub sees physical `address`, which must lie below 4 GiB.
inline std::byte* identity(PhysAddr address) {
    CHECK(address.value < u64{4} << 30);
    // Sound: the tables of stub/entry.S map the first 4 GiB where they are.
    return reinterpret_cast<std::byte*>(address.value);
}

/// Clears `size` bytes, a multiple of 8, 8-aligned. One instruction counted for each 8 bytes.
inline void clear(std::byte* bytes, usize size) {
    usize words = size / 8;
    asm volatile("rep stosq" : "+D"(bytes), "+c"(words) : "a"(u64{0}) : "memory");
}

/// The text of the emulator's configuration file opt/org.twofold/cmdline (QEMU's fw_cfg device),
/// read into `room`; empty if there is no such device or file. Errors: no_space. O(files).
Result<std::string_view> emulator_command_line(std::span<char> room);

} // namespace metal
