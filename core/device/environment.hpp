// What drivers are made of: the parts of the kernel that they are given, and are given nothing
// beside.
#pragma once

#include "core/device/block/disk_store.hpp"
#include "core/device/pci/enumeration.hpp"
#include "core/memory/memory.hpp"
#include "core/processor/processor.hpp"

namespace twofold::device {

/// What a driver is given to open its device with. All of it outlives the driver.
struct DriverEnvironment {
    pci::Configuration configuration;
    memory::KernelSpace& space;
    memory::BuddyFrames& frames;
    memory::KernelHeap& heap;
    processor::Interrupts& interrupts;
    block::DiskStore* disks = nullptr; ///< where block devices are announced; null: nowhere
};

} // namespace twofold::device
