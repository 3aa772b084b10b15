// See disks.hpp.
#include "core/boot/disks.hpp"

#include "core/boot/device_model.hpp"
#include "core/boot/displays.hpp"
#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

#include <utility>

namespace twofold::boot {

namespace {

using trace::LogLevel;

void report_table(void* kernel, block::Disk& disk, block::TableState const& state) {
    Kernel& self = *static_cast<Kernel*>(kernel);
    if (state.is_damaged) {
        self.log(LogLevel::warning, "{}: both partition tables are damaged", disk.name());
    }
    if (state.is_backup) {
        self.log(LogLevel::warning, "{}: the first partition table is damaged", disk.name());
    }
    if (state.refused != 0) {
        self.log(
            LogLevel::warning, "{}: {} partitions make no sense and are left out", disk.name(),
            state.refused);
    }
}

/// Gives what is on the PCI bus to the drivers of disks, which announce what they find.
void add_pci_disks(Kernel& kernel) {
    auto const bus = pci_bus(kernel);
    auto const model = device_model(kernel);
    if (!bus || !model) {
        return;
    }
    with_registry(*model.value(), [&](device::DriverRegistry& registry) {
        for (device::Driver const* const driver : {&nvme::driver, &device::virtio_block_driver}) {
            if (!registry.attach(bus.value()->functions.functions(), *driver)) {
                kernel.log(LogLevel::warning, "not all disks are looked at: there is no memory");
            }
            registry.for_each([&](device::DeviceRecord const& record) {
                if (record.driver == driver && record.error) {
                    kernel.log(
                        LogLevel::warning, "{:02x}:{:02x}.{} is not used by {}: {}",
                        record.where.bus, record.where.device, record.where.function, driver->name,
                        *record.error);
                }
            });
        }
    });
}

void keep(Kernel& kernel, DiskRoom& room, Result<device::BoundDevice*> const& driver) {
    if (!driver) {
        kernel.log(LogLevel::warning, "a virtio disk is not used: {}", driver.error());
    } else if (!room.drivers.push_back(driver.value())) {
        driver.value()->remove(device::Removal::orderly);
        kernel.log(LogLevel::warning, "there are more disks than are used");
    }
}

/// Those that are on no bus.
void add_virtio_disks(Kernel& kernel, DiskRoom& room) {
    auto environment = driver_environment(kernel);
    if (!environment) {
        return;
    }
    environment.value().disks = &room.disks;
    for (device::virtio::MmioPlace const& place : virtio_places(kernel)) {
        auto const transport = device::virtio::open_mmio_transport(
            environment.value(), place, device::virtio::device_kind::block);
        if (transport) {
            keep(kernel, room, device::run_virtio_block(environment.value(), *transport.value()));
        } else if (transport.error() != Error::not_found) {
            kernel.log(
                LogLevel::warning, "a virtio device at {} is not used: {}", place.registers,
                transport.error());
        }
    }
}

/// What the boot loader has put into memory beside the kernel, as disks that are only read.
void add_modules(Kernel& kernel, DiskRoom& room) {
    u32 number = 0;
    for (hal::Module const& module : kernel.boot_info.modules) {
        char text[24];
        auto const name = format_to(std::span(text), "module{}", number++);
        std::span<std::byte const> const bytes(hal::Memory::linear(module.base), module.size.value);
        auto const disk = block::MemoryDisk::over(*kernel.heap, room.completions, name, bytes);
        if (!disk) {
            continue; // shorter than a sector
        }
        if (!room.memory_disks.push_back(disk.value())) {
            disk.value()->close();
        } else if (!room.disks.add(*disk.value())) {
            room.memory_disks.pop_back();
            disk.value()->close();
        }
    }
}

} // namespace

DiskRoom::DiskRoom(Kernel& kernel, block::Completions& its_completions)
    : completions(its_completions), disks(*kernel.heap, *kernel.frames, its_completions) {
    disks.set_reporter(report_table, &kernel);
    if (kernel.threads != nullptr) {
        layers_lock.emplace(kernel.threads->locks(), "disk layers");
    }
}

Result<DiskRoom*> open_disk_room(Kernel& kernel) {
    Devices* const devices = TRY(devices_of(kernel));
    if (devices->disks != nullptr) {
        return devices->disks;
    }
    if (!kernel.interrupts.is_open() || !kernel.has_clock) {
        return Error::not_supported;
    }
    auto* const completions = TRY(block::Completions::open(*kernel.heap, kernel.interrupts));
    auto const room = memory::allocate_room<DiskRoom>(*kernel.heap, 1);
    if (!room) {
        completions->close();
        return room.error();
    }
    devices->disks = std::construct_at(room.value(), kernel, *completions);
    return devices->disks;
}

Result<DiskRoom*> disk_room(Kernel& kernel) {
    DiskRoom* const room = TRY(open_disk_room(kernel));
    if (!std::exchange(room->has_looked, true)) {
        add_pci_disks(kernel);
        add_virtio_disks(kernel, *room);
        add_modules(kernel, *room);
    }
    return room;
}

void close_disks(Kernel& kernel, DiskRoom& room) {
    for (device::BoundDevice* const driver : room.drivers) {
        driver->remove(device::Removal::orderly);
    }
    for (block::MemoryDisk* const disk : room.memory_disks) {
        room.disks.remove(*disk);
        disk->close();
    }
    block::Completions& completions = room.completions;
    std::destroy_at(&room);
    memory::free_room(*kernel.heap, &room);
    completions.close();
}

Result<block::MemoryDisk*> make_memory_disk(Kernel& kernel, Bytes size) {
    DiskRoom& room = *TRY(disk_room(kernel));
    if (room.memory_disks.full()) {
        return Error::no_space;
    }
    char text[24];
    auto const name = format_to(std::span(text), "ram{}", room.memory_disks_made);
    auto* const disk =
        TRY(block::MemoryDisk::create(*kernel.heap, *kernel.frames, room.completions, name, size));
    if (auto const added = room.disks.add(*disk); !added) {
        disk->close();
        return added.error();
    }
    ++room.memory_disks_made;
    room.memory_disks.push_back(disk).value();
    return disk;
}

} // namespace twofold::boot
