// See devices.hpp.
#include "core/boot/devices.hpp"

#include "core/boot/device_model.hpp"
#include "core/boot/disks.hpp"
#include "core/boot/displays.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/nvme.hpp"

#include <utility>

namespace twofold::boot {

namespace {

hal::LineInput isa_line(Kernel const& kernel, usize number) {
    LegacyLine const& line = kernel.interrupt_description.legacy[number];
    return {line.line, line.trigger, line.polarity};
}

constexpr Command device_table[] = {
    {"devices",
     "shows devices and their drivers",
     show_devices,
     {{"WHAT", "what to do; show them if nothing is said", ArgumentKind::choice,
       ArgumentCount::optional, "show rescan remove probe suspend resume"},
      {"ADDRESS", "of the function, as the table shows it", ArgumentKind::text,
       ArgumentCount::optional}},
     {{"devices", "what is on the bus, and what has become of it"},
      {"devices remove 01:01.0", "its driver leaves the device, which then may be pulled out"},
      {"devices remove 01:01.0; devices probe 01:01.0", "and takes it again"}}},
    {"disks",
     "lists, uses and makes disks",
     use_disks,
     {{"WHAT", "what to do; list if nothing is said", ArgumentKind::choice, ArgumentCount::optional,
       "list stats read write flush ramdisk stripe compress assemble stamp verify"},
      {"WORD", "a disk, a sector and a text, a size, or what a layer is made of",
       ArgumentKind::text, ArgumentCount::any}},
     {{"disks ramdisk 8M; disks write ram0 3 hello; disks read ram0 3; disks stats ram0",
       "a disk in memory, two requests, and what was asked of it"},
      {"disks ramdisk 8M; disks ramdisk 8M; disks stripe fast ram0 ram1 chunk=64k",
       "one disk over two; what they hold is lost"},
      {"disks ramdisk 8M; disks compress c0 ram0 method=zstd size=32M; disks stats c0",
       "one that holds more than it takes"}}},
    {"block-bench",
     "measures disks, with fio's options",
     bench_block,
     {{"OPTION",
       "name=value; rw bs iodepth size offset runtime numjobs rwmixread filename fsync "
       "verify output-format",
       ArgumentKind::text, ArgumentCount::any}},
     {{"block-bench rw=randread bs=4k iodepth=32 runtime=2", "of the first disk"},
      {"disks ramdisk 8M; block-bench filename=ram0 rw=write bs=128k size=8M",
       "writes, so the disk is named"},
      {"block-bench rw=read output-format=json", "as fio's JSON"}}},
    {"message",
     "sends and receives frames",
     use_messages,
     {{"WHAT", "what to do; info if nothing is said", ArgumentKind::choice, ArgumentCount::optional,
       "info send receive ping echo"},
      {"TO", "whom to send to, or how long to wait in ms", ArgumentKind::number,
       ArgumentCount::optional},
      {"TEXT", "what to send, or how often to ping", ArgumentKind::text, ArgumentCount::optional},
      {"MS", "how long to wait for each answer", ArgumentKind::number, ArgumentCount::optional}},
     {{"message send 1 hello", "a frame to machine 1"},
      {"message receive 500", "what comes within half a second"},
      {"message ping 1 10 20", "ten answers, each within 20 ms"}}},
    {"input",
     "uses keyboard and mouse",
     use_input,
     {{"WHAT", "what to do; info if nothing is said", ArgumentKind::choice, ArgumentCount::optional,
       "info layout type watch"},
      {"VALUE", "the layout, the text, or how many events", ArgumentKind::text,
       ArgumentCount::optional},
      {"MS", "how long to wait for each event; for ever if nothing is said", ArgumentKind::number,
       ArgumentCount::optional}},
     {{"input layout de", "keys are where they are in Germany"},
      {"input type hello", "as if somebody typed it"},
      {"input watch 10 & sleep 1; input type hello; wait 1", "shows ten events, of five keys"}}},
    {"display",
     "shows a pattern on the display",
     use_display,
     {{"WHAT", "what to do; info if nothing is said", ArgumentKind::choice, ArgumentCount::optional,
       "info test follow text"},
      {"MS", "how long to wait for another mode", ArgumentKind::number, ArgumentCount::optional}},
     {{"display", "what it is, and what has happened"},
      {"display test", "a pattern, by which one sees that pixels arrive"},
      {"display follow 5000", "the pattern in the size that its window gets"}}},
    {"nvme",
     "shows and tests NVMe controllers",
     use_nvme,
     {{"WHAT", "what to do; list if nothing is said", ArgumentKind::choice, ArgumentCount::optional,
       "list id queues smart errors features set mode reset test"},
      {"CONTROLLER", "its number; 0 if nothing is said", ArgumentKind::number,
       ArgumentCount::optional},
      {"WHICH", "a mode (interrupt, polling, hybrid), a feature, or how many sectors to test",
       ArgumentKind::text, ArgumentCount::optional},
      {"VALUE", "what to set a feature to", ArgumentKind::number, ArgumentCount::optional}},
     {{"nvme", "the namespaces of all controllers"},
      {"nvme smart 0", "how the first controller is"},
      {"nvme test 0 4096", "overwrites and reads so many sectors of each namespace"}}},
    {"beat",
     "wakes up again and again, and uses devices",
     beat,
     {{"COUNT", "how often", ArgumentKind::number},
      {"US", "microseconds between", ArgumentKind::number},
      {"DEVICE", "what to use each time", ArgumentKind::choice, ArgumentCount::any,
       "block message"}},
     {{"beat 1000 1000 block", "a sector of the first disk each millisecond, for a second"}}},
};

} // namespace

Result<Devices*> devices_of(Kernel& kernel) {
    if (kernel.devices == nullptr) {
        Devices* const room = TRY(memory::allocate_room<Devices>(*kernel.heap, 1));
        kernel.devices = std::construct_at(room);
    }
    return kernel.devices;
}

Result<device::MessagePort*> message_port(Kernel& kernel) {
    auto* const found = TRY(find_device(kernel, device::message_port_driver));
    return &static_cast<device::BoundMessagePort*>(found)->driver();
}

Result<HeldMessagePort> hold_message_port(Kernel& kernel) {
    TRY(find_device(kernel, device::message_port_driver));
    return with_registry(
        *TRY(device_model(kernel)),
        [](device::DriverRegistry& registry) -> Result<HeldMessagePort> {
            device::BoundDevice* const found = registry.first_of(device::message_port_driver);
            if (found == nullptr) {
                return Error::not_found; // it was removed just now
            }
            return HeldMessagePort(static_cast<device::BoundMessagePort&>(*found));
        });
}

device::Ps2Options keyboard_options(Kernel const& kernel) {
    constexpr usize keyboard = 1;
    constexpr usize mouse = 12;
    return {.keyboard_line = isa_line(kernel, keyboard), .mouse_line = isa_line(kernel, mouse)};
}

Result<device::Ps2*> keyboard_and_mouse(Kernel& kernel) {
    if (!device::Ps2Controller::is_there()) {
        return Error::not_found; // without a walk over the bus
    }
    Devices* const devices = TRY(devices_of(kernel));
    if (devices->ps2 == nullptr) {
        device::DriverEnvironment const environment = TRY(driver_environment(kernel));
        devices->ps2 = TRY(device::Ps2::open(environment, keyboard_options(kernel)));
    }
    return devices->ps2;
}

void close_devices(Kernel& kernel) {
    if (kernel.devices != nullptr && kernel.devices->disks != nullptr) {
        close_disk_layers(*kernel.devices->disks);
    }
    close_device_model(kernel); // whose drivers withdraw their disks
    Devices* const devices = std::exchange(kernel.devices, nullptr);
    if (devices == nullptr) {
        return;
    }
    if (devices->disks != nullptr) {
        close_disks(kernel, *devices->disks);
    }
    if (devices->ps2 != nullptr) {
        devices->ps2->close();
    }
    if (devices->display != nullptr) {
        devices->display->close();
    }
    if (devices->text != nullptr) {
        devices->text->close();
    }
    memory::free_room(*kernel.heap, devices);
}

void show_queue(CommandContext& context, device::RingQueue& queue) {
    device::RingCounts const counts = queue.counts();
    context.out.line(
        "{} requests submitted, {} completed, {} completions unexpected, {} timed out, {} restarts",
        counts.submitted, counts.completed, counts.unexpected, counts.timed_out, counts.restarts);
}

CommandTable device_commands() {
    return {"devices", device_table};
}

} // namespace twofold::boot
