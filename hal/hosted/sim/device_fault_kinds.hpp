// The faults of devices and links as kinds of a plan.
#pragma once

#include "hal/hosted/devices/device_faults.hpp"
#include "hal/hosted/sim/faults.hpp"

namespace hosted {

/// By DeviceFault. What FaultKinds is made with.
std::span<FaultKind const> device_fault_kinds();

/// In a catalogue that was made so.
inline FaultId fault_id(DeviceFault fault) {
    return static_cast<FaultId>(engine_fault_kinds().size() + static_cast<usize>(fault));
}

} // namespace hosted
