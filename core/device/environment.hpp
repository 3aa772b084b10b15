// What drivers are made of: the parts of the kernel that they are given, and are given nothing
// beside.
#pragma once

#include "core/device/block/disk_store.hpp"
#include "core/device/pci/enumeration.hpp"
#include "core/memory/memory.hpp"
#include "core/processor/processor.hpp"

namespace twofold::device {

/// Who wants to hear that something has happened to slots that devices are plugged into.
class SlotListener {
public:
    /// Somebody listens from now on. Context thread. Errors: not_supported (there are no threads),
    /// out_of_memory.
    virtual Result<void> begin() = 0;
    /// Slots are to be looked at. Any context up to irq.
    virtual void changed() = 0;

protected:
    ~SlotListener() = default;
};

/// What a driver is given to open its device with. All of it outlives the driver.
struct DriverEnvironment {
    pci::Configuration configuration;
    memory::KernelSpace& space;
    memory::BuddyFrames& frames;
    memory::KernelHeap& heap;
    processor::Interrupts& interrupts;
    block::DiskStore* disks = nullptr; ///< where block devices are announced; null: nowhere
    SlotListener* slots = nullptr;     ///< null: nobody
};

} // namespace twofold::device
