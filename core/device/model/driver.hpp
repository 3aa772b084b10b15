// What a driver is to the registry of drivers: which functions it is for, and what it makes of one.
#pragma once

#include "core/device/environment.hpp"

#include <string_view>

namespace twofold::device {

/// Why a driver is to let go of its device.
enum class Removal : u8 {
    orderly, ///< the device is there and answers
    gone,    ///< it was pulled out: its registers read all ones, and nothing is waited for
};

/// A driver that runs a device. In memory of the heap. Context thread, one call at a time.
class BoundDevice {
public:
    BoundDevice(BoundDevice const&) = delete;
    BoundDevice& operator=(BoundDevice const&) = delete;

    /// What is in flight is completed or fails, all that was taken is given back, and this ends.
    virtual void remove(Removal how) = 0;
    /// The device is at rest afterwards, and loses what it holds: what was in flight is done, what
    /// is submitted meanwhile waits. Errors: those of the device; then it is not suspended.
    virtual Result<void> suspend() = 0;
    /// The device is as before `suspend`. Errors: those of the device; then it is only good for
    /// `remove`.
    virtual Result<void> resume() = 0;

protected:
    BoundDevice() = default;
    ~BoundDevice() = default;
};

/// Constant; lives for ever.
struct Driver {
    std::string_view name; ///< "nvme"
    /// Whether the driver is for such a function. Pure, O(1).
    bool (*matches)(pci::Function const& function) = nullptr;
    /// Takes the function over. Context thread, interrupts on. On an error all that was taken is
    /// given back, and the device reaches no memory.
    Result<BoundDevice*> (*probe)(
        DriverEnvironment const& environment, pci::Function const& function) = nullptr;
};

} // namespace twofold::device
