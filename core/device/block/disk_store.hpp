// Where drivers announce the block devices that they have found, and withdraw them.
#pragma once

#include "core/device/block/device.hpp"

namespace twofold::block {

/// An injected seam. Context thread.
class DiskStore {
public:
    DiskStore(DiskStore const&) = delete;
    DiskStore& operator=(DiskStore const&) = delete;

    /// From now on others may use the device, under its name. Errors: out_of_memory,
    /// already_exists.
    virtual Result<void> add(Device& device) = 0;
    /// Nobody begins to use the device any more; returns when nobody does. What is in flight is to
    /// come to an end meanwhile: a driver whose device is gone fails it first.
    virtual void remove(Device& device) = 0;
    /// The device is as it was but for its geometry, which is another from now on.
    virtual void changed(Device& device) = 0;

protected:
    DiskStore() = default;
    ~DiskStore() = default;
};

} // namespace twofold::block
