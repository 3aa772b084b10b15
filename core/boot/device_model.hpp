// The kernel's registry of drivers. It begins when a device is first asked for, since a boot that
// needs none should not wait for it; from then on devices have drivers as somebody asks for them.
#pragma once

#include "core/boot/pci.hpp"
#include "core/boot/slot_watcher.hpp"
#include "core/device/drivers.hpp"
#include "core/task/task.hpp"

#include <optional>

namespace twofold::boot {

/// The most drivers that an image brings along beside the kernel's own (composition.hpp).
inline constexpr usize added_drivers_max = 16;

/// The drivers of a kernel, in the order in which a function is given to them.
using DriverList = FixedVector<device::Driver const*, added_drivers_max + 8>;

/// Where drivers announce disks: the kernel's, which begin with the first one.
class DiskAnnouncer final : public block::DiskStore {
public:
    explicit DiskAnnouncer(Kernel& kernel) : m_kernel(kernel) {}

    /// Errors: those of Disks::add and open_disk_room.
    Result<void> add(block::Device& device) override;
    void remove(block::Device& device) override;
    void changed(block::Device& device) override;

private:
    Kernel& m_kernel;
};

/// In memory of the kernel's heap.
struct DeviceModel {
    DeviceModel(Kernel& kernel, device::DriverEnvironment const& environment);

    SlotWatcher slots;
    DiskAnnouncer disks;
    DriverList const drivers;
    device::DriverRegistry registry;
    /// For one context at a time in the registry; where there are no threads there is but one.
    std::optional<task::Mutex<task::KernelThreads>> lock;
};

/// The registry; begun by the first call, with no function in it. One context at a time asks for
/// the first time. Errors: out_of_memory, those of pci_bus.
Result<DeviceModel*> device_model(Kernel& kernel);

/// Calls use(registry) while no other context is in it. Context thread, interrupts on.
template<class Use>
auto with_registry(DeviceModel& model, Use const& use) {
    if (model.lock) {
        task::MutexGuard const guard(*model.lock);
        return use(model.registry);
    }
    return use(model.registry);
}

/// All devices leave their drivers, and the registry ends; the next call of device_model begins it
/// again. No device is used. Context thread.
void close_device_model(Kernel& kernel);

/// The first device that `driver` has, which is given to it where that is not done yet. Errors:
/// not_found (there is none), why its probe failed, those of device_model.
Result<device::BoundDevice*> find_device(Kernel& kernel, device::Driver const& driver);

/// What has happened on the bus since it was looked at last.
struct BusChanges {
    u32 arrived = 0;
    u32 departed = 0;
    u32 failed = 0; ///< of those that have arrived, their drivers
};

/// Looks which functions have come to the bus and which have gone, and tells the registry. Those
/// that a driver has are only asked whether they are there. Errors: out_of_memory, no_space (some
/// that have come are not known), those of device_model.
Result<BusChanges> rescan_devices(Kernel& kernel);

/// The command `devices`.
u8 show_devices(CommandContext& context);

} // namespace twofold::boot
