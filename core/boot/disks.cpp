// See disks.hpp.
#include "core/boot/disks.hpp"

#include "core/boot/displays.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/pci.hpp"
#include "hal/memory.hpp"

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

/// The simulator's disk, where there is one.
void add_ring(Kernel& kernel, DiskRoom& room) {
    auto const ring = block_device(kernel);
    if (!ring) {
        return;
    }
    auto const added = room.disks.add(*ring.value());
    room.has_ring = added.has_value();
    if (!added) {
        kernel.log(LogLevel::warning, "{} is not used: {}", ring.value()->name(), added.error());
    }
}

void keep(Kernel& kernel, DiskRoom& room, Result<device::BoundDevice*> const& driver) {
    if (!driver) {
        kernel.log(LogLevel::warning, "a virtio disk is not used: {}", driver.error());
    } else if (!room.drivers.push_back(driver.value())) {
        driver.value()->remove(device::Removal::orderly);
        kernel.log(LogLevel::warning, "there are more disks than are used");
    }
}

void add_virtio_disks(Kernel& kernel, DiskRoom& room) {
    auto const environment = driver_environment(kernel);
    auto const bus = pci_bus(kernel);
    if (!environment || !bus) {
        return;
    }
    device::Driver const& driver = device::virtio_block_driver;
    for (pci::Function const& function : bus.value()->functions.functions()) {
        if (driver.matches(function)) {
            keep(kernel, room, driver.probe(environment.value(), function));
        }
    }
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
}

Result<DiskRoom*> disk_room(Kernel& kernel) {
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
    DiskRoom* const made = std::construct_at(room.value(), kernel, *completions);
    devices->disks = made;
    add_ring(kernel, *made);
    add_virtio_disks(kernel, *made);
    add_modules(kernel, *made);
    return made;
}

void close_disks(Kernel& kernel, DiskRoom& room) {
    while (!room.stripes.empty()) { // the last one first: it may be over another
        block::Stripe* const stripe = room.stripes.back();
        room.stripes.pop_back();
        room.disks.remove(*stripe);
        stripe->close();
    }
    for (device::BoundDevice* const driver : room.drivers) {
        driver->remove(device::Removal::orderly);
    }
    for (block::MemoryDisk* const disk : room.memory_disks) {
        room.disks.remove(*disk);
        disk->close();
    }
    if (room.has_ring) {
        room.disks.remove(*kernel.devices->block);
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
