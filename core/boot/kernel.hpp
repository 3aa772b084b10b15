// The kernel object: all mutable state of one kernel, reached from the per-CPU pointer. Several
// kernels can live in one process, and a kernel can be restored from a copy of its memory.
#pragma once

#include "core/acpi/acpi.hpp"
#include "core/boot/composition.hpp"
#include "core/boot/fault.hpp"
#include "core/boot/options.hpp"
#include "core/boot/topology.hpp"
#include "core/memory/memory.hpp"
#include "core/processor/processor.hpp"
#include "core/sync/sync.hpp"
#include "core/trace/trace.hpp"
#include "hal/boot.hpp"

#include <optional>
#include <type_traits>

namespace twofold::boot {

/// What belongs to one processor. The HAL's per-CPU pointer leads to its first part, by which the
/// rooms below know it.
struct PerCpu : processor::CpuLocal {
    Kernel* kernel = nullptr;
    RecoveryScope* recovery = nullptr; ///< innermost active catch_fault
    bool in_panic = false;
    u64 wakes = 0;            ///< from the idle loop
    Atomic<u32> is_online{0}; ///< it runs kernel code
};

struct KernelPools; // pools.hpp
struct PciBus;      // pci.hpp

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
    processor::InterruptTable interrupts;
    bool has_clock = false;                ///< from the step `clock` on, where the machine has one
    memory::BuddyFrames* frames = nullptr; ///< from the step `frames` on, in memory of its own
    PciBus* pci = nullptr;                 ///< from its first use on, see pci.hpp
    StartupPlan plan;
    PerCpu boot_cpu;
    std::string_view running_command; ///< for the panic report
    u64 commands_run = 0;

private:
    void log_text(trace::LogLevel level, std::string_view text);
    void start_up();
    void run_step(usize index);
    void report_unreached();
    u8 run_commands();
    u8 run_console();
};

/// The kernel that the caller runs in. Panics before it exists.
Kernel& current_kernel();
/// The same, or null before it exists.
Kernel* try_current_kernel();

/// The kernel's console as an output.
Output console_output();

} // namespace twofold::boot
