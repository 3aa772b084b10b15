// What is built where TWOFOLD_DRIVERS names no header.
#pragma once

#include "core/boot/boot.hpp"
#include "core/device/drivers.hpp"

#include <array>

namespace twofold {

struct SelectedDrivers {
    static constexpr std::array<device::Driver const*, 0> drivers{};
    static constexpr boot::CommandTable commands{};
};

} // namespace twofold
