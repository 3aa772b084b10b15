// See displays.hpp.
#include "core/boot/displays.hpp"

#include "core/boot/firmware.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/pci.hpp"
#include "hal/io.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using device::Display;
using device::virtio::MmioPlace;
using device::virtio::Transport;
using trace::LogLevel;

constexpr std::string_view places_key = "virtio_mmio.device=";

void add_place(Kernel& kernel, MmioPlaces& places, MmioPlace const& place) {
    if (std::ranges::find(places, place) == places.end() && !places.push_back(place)) {
        kernel.log(LogLevel::warning, "a virtio device at {} is not kept", place.registers);
    }
}

/// QEMU's microvm says it so where it has no ACPI tables; the form is Linux's.
void add_named_places(Kernel& kernel, MmioPlaces& places) {
    char scratch[Options::command_line_max];
    Tokenizer words(kernel.boot_info.command_line, std::span(scratch), "");
    for (auto word = words.next(); word && word.value().kind != Token::Kind::end;
         word = words.next()) {
        std::string_view const text = word.value().text;
        if (!text.starts_with(places_key)) {
            continue;
        }
        std::string_view const value =
            slice(text, places_key.size(), text.size() - places_key.size());
        auto const place = device::virtio::parse_mmio_place(value);
        if (place) {
            add_place(kernel, places, place.value());
        } else {
            kernel.log(
                LogLevel::warning, "kernel command line: '{}' is no SIZE@ADDRESS:LINE", value);
        }
    }
}

Result<void> add_described_places(Kernel& kernel, MmioPlaces& places) {
    if (!kernel.acpi_tables) {
        return Error::not_found;
    }
    auto const table = TRY(kernel.acpi_tables->find(acpi::fadt_signature));
    auto const fadt = TRY(acpi::parse_fadt(table));
    auto const dsdt = TRY(acpi::read_table(firmware_reader(), fadt.dsdt, acpi::dsdt_signature));
    acpi::VirtioMmioReader reader(dsdt);
    while (auto const found = reader.next()) {
        add_place(kernel, places, {found->registers, found->size, hal::Line{found->line}});
    }
    return {};
}

/// A display that is there, or null with the reason in the log.
Display* opened(Kernel& kernel, std::string_view what, Result<Display*> const& display) {
    if (display) {
        return display.value();
    }
    if (display.error() != Error::not_found) {
        kernel.log(LogLevel::warning, "{} is not used: {}", what, display.error());
    }
    return nullptr;
}

Result<Display*> open_gpu(device::DriverEnvironment const& environment, Transport& transport) {
    return static_cast<Display*>(TRY(device::VirtioGpu::open(environment, transport)));
}

Result<Display*> open_pci_gpu(Kernel& kernel, PciBus& bus) {
    for (pci::Function const& function : bus.functions.functions()) {
        if (device::virtio::pci_device_kind(function.header) == device::virtio::device_kind::gpu) {
            auto const environment = TRY(driver_environment(kernel));
            return open_gpu(
                environment, *TRY(device::virtio::open_pci_transport(environment, function)));
        }
    }
    return Error::not_found;
}

/// The first place where a gpu is; where none is, why the last one was not used.
Result<Display*> open_mmio_gpu(Kernel& kernel) {
    Error error = Error::not_found;
    auto const environment = TRY(driver_environment(kernel));
    for (MmioPlace const& place : virtio_places(kernel)) {
        auto const transport = device::virtio::open_mmio_transport(
            environment, place, device::virtio::device_kind::gpu);
        if (transport) {
            return open_gpu(environment, *transport.value());
        }
        error = transport.error() == Error::not_found ? error : transport.error();
    }
    return error;
}

Result<Display*> open_framebuffer(Kernel& kernel) {
    if (!kernel.boot_info.framebuffer) {
        return Error::not_found;
    }
    return static_cast<Display*>(TRY(
        device::LinearDisplay::open(*kernel.space, *kernel.heap, *kernel.boot_info.framebuffer)));
}

} // namespace

MmioPlaces virtio_places(Kernel& kernel) {
    MmioPlaces places;
    add_named_places(kernel, places);
    if (auto const added = add_described_places(kernel, places);
        !added && added.error() != Error::not_found) {
        kernel.log(LogLevel::warning, "the DSDT's virtio devices: {}", added.error());
    }
    return places;
}

Result<device::Display*> display(Kernel& kernel) {
    Devices* const devices = TRY(devices_of(kernel));
    if (devices->display != nullptr) {
        return devices->display;
    }
    PciBus* const bus = TRY(pci_bus(kernel));
    Display* found = opened(kernel, "the virtio-gpu on the PCI bus", open_pci_gpu(kernel, *bus));
    if (found == nullptr) {
        found = opened(kernel, "the virtio-gpu in memory", open_mmio_gpu(kernel));
    }
    if (found == nullptr) {
        found = opened(kernel, "the framebuffer", open_framebuffer(kernel));
    }
    if (found == nullptr) {
        return Error::not_found;
    }
    devices->display = found;
    return found;
}

Result<device::VgaText*> text_display(Kernel& kernel) {
    Devices* const devices = TRY(devices_of(kernel));
    if (devices->text == nullptr) {
        if (!kernel.boot_info.text_buffer) {
            return Error::not_found;
        }
        devices->text = TRY(device::VgaText::open(
            *kernel.space, *kernel.heap, *kernel.boot_info.text_buffer,
            {.write_8 = [](void*, u16 port, u8 value) { hal::Io::write_port_8(port, value); }}));
    }
    return devices->text;
}

} // namespace twofold::boot
