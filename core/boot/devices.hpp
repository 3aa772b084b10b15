// The kernel's devices beside those that it starts with: each is looked for on the PCI bus and
// opened when it is first asked for, since a boot that needs none should not wait for it.
#pragma once

#include "core/boot/command.hpp"
#include "core/device/drivers.hpp"

namespace twofold::boot {

struct DiskRoom; // disks.hpp

/// What was opened; null: not asked for yet, or not there.
struct Devices {
    DiskRoom* disks = nullptr; ///< see disks.hpp
    device::Ps2* ps2 = nullptr;
    device::Display* display = nullptr;
    device::VgaText* text = nullptr;
};

/// What was opened so far. Errors: out_of_memory, at the first time.
Result<Devices*> devices_of(Kernel& kernel);

/// The first message device, open. Context thread; one context at a time asks for the first time.
/// Errors: not_found (there is none); those of its driver's `open` and of pci_bus.
Result<device::MessagePort*> message_port(Kernel& kernel);
/// The same, for who shares the kernel with those who may have it removed.
using HeldMessagePort = device::HeldRing<device::MessagePort>;
Result<HeldMessagePort> hold_message_port(Kernel& kernel);

/// The display, see displays.hpp. Errors: not_found, out_of_memory.
Result<device::Display*> display(Kernel& kernel);
/// The text screen that firmware or boot loader has left. Errors: not_found, those of VgaText.
Result<device::VgaText*> text_display(Kernel& kernel);

/// The keyboard and the mouse of a PC, which are on no bus. The same. Errors: those of Ps2::open.
Result<device::Ps2*> keyboard_and_mouse(Kernel& kernel);
/// What they are opened with: their lines are where firmware says.
device::Ps2Options keyboard_options(Kernel const& kernel);
/// What the kernel's drivers are made of. Errors: those of pci_bus.
Result<device::DriverEnvironment> driver_environment(Kernel& kernel);

/// Types a text of ASCII with the keys of the layout, by the controller itself; a line feed is
/// enter. Errors: invalid_argument (no key types that); those of Ps2::inject.
Result<void> type_text(device::Ps2& ps2, std::string_view text);

/// Closes what was opened; the next use opens it again. No device is used. Context thread.
void close_devices(Kernel& kernel);

/// Writes a line of what has happened on a device's queue.
void show_queue(CommandContext& context, device::RingQueue& queue);

/// A number among a command's arguments; `fallback` where there are not so many. Errors: those of
/// parse_unsigned.
inline Result<u64> argument_number(CommandContext const& context, usize index, u64 fallback) {
    return index < context.arguments.size() ? parse_unsigned(context.arguments[index])
                                            : Result<u64>(fallback);
}

/// The commands message, input, nvme and beat.
u8 use_messages(CommandContext& context);
u8 use_input(CommandContext& context);
u8 use_nvme(CommandContext& context);
u8 beat(CommandContext& context);

} // namespace twofold::boot
