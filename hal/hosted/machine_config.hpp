// What a hosted machine is made of, and what it is connected to.
#pragma once

#include "hal/console.hpp"
#include "hal/hosted/devices/pci_device.hpp"
#include "hal/hosted/image.hpp"
#include "hal/hosted/mmu.hpp"
#include "hal/processors_types.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hosted {

/// A file for the kernel, placed in its memory at start.
struct ModuleFile {
    std::string name;
    std::vector<std::byte> bytes;
};

inline constexpr u32 numa_nodes_max = 64;

struct MachineConfig {
    u64 memory_bytes = u64{64} << 20;
    std::byte memory_fill{}; ///< what memory holds at power-on, where firmware leaves it
    u32 cpus = 1;
    u32 numa_nodes = 1; ///< that memory and processors are divided into
    /// What the processors are declared to be, in their order and then from the first again; empty:
    /// all alike.
    std::vector<hal::CoreClass> core_classes;
    /// Processors that firmware's tables list, but that do not answer when they are started.
    std::vector<u32> dead_processors;
    std::string command_line;
    std::vector<ModuleFile> modules;
    unsigned window = 0;             ///< which reserved address range, windows.hpp
    u32 tlb_ways = tlb_ways_default; ///< translations cached, mmu.hpp
    std::function<void(std::span<std::byte>)>
        entropy; ///< fills with random bytes; empty: the engine's own
    /// PCI devices beside the test device, at 1:01.0 and on. Whoever makes the machine may keep
    /// them, too, and give a device with a medium to the next machine. A live machine takes those
    /// that do not need a simulation (PciDevice::needs_simulation).
    std::vector<std::shared_ptr<PciDevice>> devices;
    /// Ports that devices are plugged into while it runs (Machine::plug), each behind 1 MiB of
    /// addresses; at most pci_ports_max.
    u32 hot_plug_ports = 0;
    /// An i8042 with a keyboard and a mouse behind it (devices/i8042.hpp), as a PC has.
    bool has_keyboard_controller = true;
    Image image = Image::self();
};

/// What the machine's console and result channel are connected to. Called on the thread of
/// whichever processor writes or reads, while its kernel waits: by one processor at a time, but
/// also between two calls of `run` where a machine has several. May throw, which ends the run for
/// good: `run` throws it on.
class ConsoleEndpoint {
public:
    virtual ~ConsoleEndpoint() = default;
    /// Takes all of `text`.
    virtual void write(std::string_view text) = 0;
    /// One byte of input if there is one; must not wait.
    virtual hal::ConsoleInput read() = 0;
    /// Takes what the kernel has written to the result channel in one call: a record, or bytes that
    /// are none. Only what is longer than `transfer_bytes`, as no record is, comes in pieces.
    virtual void write_result(std::span<std::byte const> bytes) = 0;
};

} // namespace hosted
