// See device_model.hpp.
#include "core/boot/device_model.hpp"

#include "core/boot/bus_changes.hpp"
#include "core/boot/devices.hpp"
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"

#include <utility>

namespace twofold::boot {

namespace {

constexpr device::Driver const* all_drivers[] = {
    &device::message_port_driver,
    &device::hot_plug_port_driver,
    &nvme::driver,
    &device::virtio_block_driver,
};

/// Those of the image, then the kernel's.
DriverList drivers_of(Kernel const& kernel) {
    DriverList drivers;
    for (device::Driver const* const each : kernel.parts.drivers) {
        drivers.push_back(each).value(); // the image brings no more than that
    }
    for (device::Driver const* const each : all_drivers) {
        drivers.push_back(each).value();
    }
    return drivers;
}

/// The environment of drivers whose ports tell `slots`, and which announce disks at `disks`.
device::DriverEnvironment connected(
    device::DriverEnvironment environment, device::SlotListener& slots, block::DiskStore& disks) {
    environment.slots = &slots;
    environment.disks = &disks;
    return environment;
}

/// Before the machine is switched off or starts anew: what disks hold back is not lost.
void rest_devices(Kernel& kernel) {
    if (kernel.devices != nullptr && kernel.devices->disks != nullptr) {
        u32 const failed = flush_layers(*kernel.devices->disks);
        if (failed != 0) {
            kernel.log(
                trace::LogLevel::warning, "{} disks may have lost what they held back", failed);
        }
    }
    with_registry(
        *kernel.device_model, [](device::DriverRegistry& registry) { registry.rest_all(); });
}

Result<void>
copy_functions(Kernel& kernel, void (*use)(void*, std::span<pci::Function const>), void* argument) {
    memory::Vector<pci::Function, memory::KernelHeap> copy(*kernel.heap);
    auto const take = [&](device::DriverRegistry&) -> Result<void> {
        auto const all = kernel.pci->functions.functions();
        TRY(copy.reserve(all.size()));
        copy.append_copies(all);
        return {};
    };
    TRY(with_registry(*kernel.device_model, take));
    use(argument, copy.items());
    return {};
}

/// At the end of a panic. Nothing may be waited for, so it is not asked who is in the registry.
void stop_devices(Kernel const& kernel) {
    kernel.device_model->registry.stop_all();
}

} // namespace

DeviceModel::DeviceModel(Kernel& kernel, device::DriverEnvironment const& environment)
    : slots(kernel),
      disks(kernel),
      drivers(drivers_of(kernel)),
      registry(connected(environment, slots, disks), drivers.items()) {
    if (kernel.threads != nullptr) {
        lock.emplace(kernel.threads->locks(), "devices");
    }
}

Result<void> DiskAnnouncer::add(block::Device& device) {
    return TRY(open_disk_room(m_kernel))->disks.add(device);
}

void DiskAnnouncer::remove(block::Device& device) {
    DiskRoom& room = *m_kernel.devices->disks; // it was added
    room.disks.hide(device);                   // so nothing more comes to lie on it
    close_layers_over(room, device, Under::disk_and_parts);
    room.disks.remove(device);
}

/// Parts of before are no disks any more.
void DiskAnnouncer::changed(block::Device& device) {
    DiskRoom& room = *m_kernel.devices->disks;
    close_layers_over(room, device, Under::parts);
    room.disks.changed(device);
}

Result<device::DriverEnvironment> driver_environment(Kernel& kernel) {
    PciBus* const bus = TRY(pci_bus(kernel));
    return device::DriverEnvironment{
        .configuration = pci::Configuration::of(bus->access),
        .space = *kernel.space,
        .frames = *kernel.frames,
        .heap = *kernel.heap,
        .interrupts = kernel.interrupts};
}

Result<DeviceModel*> device_model(Kernel& kernel) {
    if (kernel.device_model == nullptr) {
        device::DriverEnvironment const environment = TRY(driver_environment(kernel));
        auto* const room = TRY(memory::allocate_room<DeviceModel>(*kernel.heap, 1));
        kernel.device_model = std::construct_at(room, kernel, environment);
        Rescan(*kernel.pci, kernel.device_model->registry).complete();
        kernel.rest_devices = rest_devices;
        kernel.copy_functions = copy_functions;
        kernel.stop_devices.store(stop_devices, release);
    }
    return kernel.device_model;
}

void close_device_model(Kernel& kernel) {
    if (kernel.device_model == nullptr) {
        return;
    }
    with_registry(
        *kernel.device_model, [](device::DriverRegistry& registry) { registry.remove_all(); });
    kernel.device_model->slots.end();
    kernel.stop_devices.store(nullptr, release);
    kernel.rest_devices = nullptr;
    kernel.copy_functions = nullptr;
    DeviceModel* const model = std::exchange(kernel.device_model, nullptr);
    std::destroy_at(model);
    memory::free_room(*kernel.heap, model);
}

Result<device::BoundDevice*> find_device(Kernel& kernel, device::Driver const& driver) {
    PciBus* const bus = TRY(pci_bus(kernel));
    DeviceModel* const model = TRY(device_model(kernel));
    return with_registry(
        *model, [&](device::DriverRegistry& registry) -> Result<device::BoundDevice*> {
            if (device::BoundDevice* const found = registry.first_of(driver)) {
                return found;
            }
            TRY(registry.attach(bus->functions.functions(), driver));
            if (device::BoundDevice* const found = registry.first_of(driver)) {
                return found;
            }
            return registry.failure_of(driver).value_or(Error::not_found);
        });
}

} // namespace twofold::boot
