// The metal machine's ways to PCI configuration space: the windows that the kernel has attached,
// and what is known of the legacy mechanism.
#pragma once

#include "hal/pci_types.hpp"

namespace metal {

using namespace twofold;

struct PciAccess {
    static constexpr usize windows_max = 16;

    hal::PciWindow windows[windows_max]{};
    Atomic<u32> window_count{0}; ///< released after the window was written
    Atomic<u32> ports_busy{0};   ///< 1: a processor is between address and data
    enum class Ports : u8 { unknown, absent, present };
    Atomic<Ports> ports{Ports::unknown}; ///< what answers at 0xCF8
};

} // namespace metal
