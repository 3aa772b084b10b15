// The kernel object: all mutable state of one kernel, reached from the per-CPU pointer. Several
// kernels can live in one process, and a kernel can be restored from a copy of its memory.
#pragma once

#include "core/acpi/acpi.hpp"
#include "core/boot/composition.hpp"
#include "core/boot/fault.hpp"
#include "core/boot/options.hpp"
#include "core/boot/running_command.hpp"
#include "core/boot/topology.hpp"
#include "core/memory/memory.hpp"
#include "core/processor/processor.hpp"
#include "core/sync/sync.hpp"
#include "core/trace/trace.hpp"
#include "hal/boot.hpp"
#include "hal/processors_types.hpp"

#include <optional>
#include <span>
#include <type_traits>

namespace twofold::task {
class Threads;
}
namespace twofold::async {
class Executors;
}
namespace twofold::pci {
struct Function;
}
namespace twofold::shell {
class MachineScreen;
}

namespace twofold::boot {

/// What belongs to one processor, on cache lines of its own. The HAL's per-CPU pointer leads to its
/// first part, by which the rooms below know it.
struct alignas(sync::cache_line_bytes) PerCpu : processor::CpuLocal {
    Kernel* kernel = nullptr;
    bool in_panic = false;
    hal::CoreClass core_class = hal::CoreClass::uniform;
    u64 features = 0;                 ///< hal::CpuDescription::features, once it runs
    std::optional<Error> start_error; ///< why it does not run; written by the boot processor
};

struct PanicOutlet; // panic.hpp
struct KernelPools; // pools.hpp
struct PciBus;      // pci.hpp
struct Devices;     // devices.hpp
struct DeviceModel; // device_model.hpp

/// All state of one kernel. Created once by kernel_start in memory of its own; never destroyed.
class Kernel {
public:
    Kernel(
        hal::BootInfo const& info,
        Options const& options,
        memory::MemoryMap const& map,
        memory::EarlyFrames const& frames,
        Composition const& parts);
    Kernel(Kernel const&) = delete;
    Kernel& operator=(Kernel const&) = delete;

    /// Runs the start-up graph, then commands, then powers off. Never returns.
    [[noreturn]] void run();

    /// Appends a message to the log. Any context.
    template<class... Args>
    void
    log(trace::LogLevel level,
        FormatString<std::type_identity_t<Args>...> format,
        Args const&... args) {
        char text[trace::LogEntry::text_capacity];
        log_text(level, format_to(std::span(text), format, args...));
    }
    /// Appends an event. Any context.
    void event(trace::EventKind kind, u64 a = 0, u64 b = 0);
    /// Sends a record to the result channel.
    void send(trace::Record& record);
    /// The state of a processor that the kernel knows. O(1).
    PerCpu& cpu(CpuId id) const { return static_cast<PerCpu&>(cpus.of(id)); }
    /// Ends the run with `status`.
    [[noreturn]] void power_off(u8 status);
    /// Starts the machine anew; the run of a machine that somebody started ends with that.
    [[noreturn]] void reset();

    hal::BootInfo const boot_info;
    Options const options;
    Composition const parts;
    memory::MemoryMap memory_map;
    memory::EarlyFrames early_frames;
    std::optional<memory::SharedFrames> shared_frames; ///< all frames of spaces and objects
    std::optional<memory::KernelSpace> space;
    std::optional<memory::KernelHeapBacking> heap_backing;
    std::optional<memory::KernelHeapEnvironment> heap_environment;
    memory::KernelHeap* heap = nullptr; ///< from the step `heap` on, in its own window
    KernelPools* pools = nullptr;       ///< from the step `pools` on, in memory of its own
    trace::LogRing log_ring;
    trace::EventRing events;
    std::optional<trace::SymbolTable> symbols;
    std::optional<acpi::Tables> acpi_tables;
    Topology topology;                          ///< from the step `topology` on
    InterruptDescription interrupt_description; ///< from the step `interrupts` on
    PhysAddr start_memory{};                    ///< below 1 MiB, for processors that begin to run
    processor::CpuSet cpus;
    processor::Interrupts interrupts;
    processor::Shootdown shootdown{cpus};
    memory::RemoteFlush remote_flush{&shootdown, processor::Shootdown::flush};
    processor::WallClock wall_clock;
    bool has_clock = false;        ///< from the step `clock` on, where the machine has one
    Nanos clock_skew{};            ///< the worst that was seen between two processors
    Atomic<u32> panicking{nobody}; ///< the processor that panics; it stops the others
    static constexpr u32 nobody = ~u32{0};
    memory::BuddyFrames* frames = nullptr; ///< from the step `frames` on, in memory of its own
    PciBus* pci = nullptr;                 ///< from its first use on, see pci.hpp
    Devices* devices = nullptr;            ///< from the first use of one on, see devices.hpp
    DeviceModel* device_model = nullptr;   ///< from the first use of one on, see device_model.hpp
    /// While there is a registry: devices come to rest before the machine ends, on the thread that
    /// ends it, and at the end of a panic they reach no memory any more.
    void (*rest_devices)(Kernel& kernel) = nullptr;
    /// Calls use(argument, functions) with a copy of what is on the bus; null: nothing comes or
    /// goes there. Errors: out_of_memory.
    Result<void> (*copy_functions)(
        Kernel& kernel,
        void (*use)(void* argument, std::span<pci::Function const> functions),
        void* argument) = nullptr;
    Atomic<void (*)(Kernel const& kernel)> stop_devices{nullptr};
    task::Threads* threads = nullptr;      ///< from the step `threads` on, in images that have them
    async::Executors* executors = nullptr; ///< from the first task on, see async.hpp
    StartupPlan plan;
    PerCpu boot_cpu;
    RunningCommands running;                ///< for reports
    shell::MachineScreen* screen = nullptr; ///< while sessions use one
    /// Called before the run ends well, on the thread that ends it, while a session lives: what was
    /// printed is brought to where it is seen.
    void (*before_end)(void* context) = nullptr;
    void* before_end_context = nullptr;
    /// Where the report of a panic is seen beside the console; null: nowhere.
    Atomic<PanicOutlet const*> panic_outlet{nullptr};

private:
    void log_text(trace::LogLevel level, std::string_view text);
    void start_up();
    void end_devices();
    void run_step(usize index);
    void report_unreached();
    bool has_shell() const;
    u8 run_commands();
    u8 run_console();
};

/// The kernel that the caller runs in. Panics before it exists.
Kernel& current_kernel();
/// The same, or null before it exists.
Kernel* try_current_kernel();

/// The running processor's state, which the caller does not leave meanwhile; there is a kernel.
inline PerCpu& this_cpu() {
    return *static_cast<PerCpu*>(sync::cpu_state());
}

/// The kernel's console as an output.
Output console_output();

} // namespace twofold::boot
