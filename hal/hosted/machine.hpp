// A hosted machine: physical memory, a virtual CPU with its MMU, firmware, a PCI bus and a console,
// on which one kernel runs inside this process.
//
// The caller steps it: `run` enters the kernel on the boot processor and returns when that has
// nothing to do but wait, so a program decides itself how to wait for input, and several machines
// can take turns in one thread. The other processors, which the kernel starts, are threads of their
// own (processor_threads.cpp); they run on while the boot processor rests. Whichever ends the run,
// `run` says so and none is left running then.
// A process holds as many machines as there are windows (windows.hpp); their kernels share the code
// of this program and nothing else.
//
// Invariant: between two calls of `run` a kernel on one processor is at rest, switched out of its
// own accord, and its whole state is the memory and some plain structs. `snapshot` copies them,
// `restore` puts them back, and the kernel goes on from there as if nothing had happened since.
//
// Neighbours: guest/ (the kernel's side of the contract), mmu.hpp, signals.hpp (faults), firmware/.
// A machine is used by one thread at a time.
#pragma once

#include "hal/console.hpp"
#include "hal/hosted/devices/line_controller.hpp"
#include "hal/hosted/devices/pci_bus.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/image.hpp"
#include "hal/hosted/mmu.hpp"
#include "hal/hosted/physical_memory.hpp"

#include <atomic>
#include <csignal>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <ucontext.h>
#include <vector>

namespace hosted {

class Processor;
struct MachineLocks;

/// A file for the kernel, placed in its memory at start.
struct ModuleFile {
    std::string name;
    std::vector<std::byte> bytes;
};

inline constexpr u32 numa_nodes_max = 64;

struct MachineConfig {
    u64 memory_bytes = u64{64} << 20;
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
        entropy; ///< fills with random bytes; empty: the host's
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

/// Why `run` returned.
struct Stop {
    enum class Kind : u8 {
        waiting_for_input, ///< the kernel idles; run again when there may be input
        exited,            ///< with `status`
        reset,             ///< the kernel asks to be started anew: Machine::reset
        crashed,           ///< no fault could be delivered to it any more: Machine::crash_report
        interrupted,       ///< request_stop: Machine::crash_report tells where
    } kind;
    u8 status = 0;
};

/// A machine at rest.
struct Snapshot {
    unsigned window = 0;
    MemoryCopy memory;
    GuestMachine machine;
    GuestCpu cpu;
    u64 time_ns = 0; ///< on the machine's clock
    PciBus pci;
    LineController lines;
};

class Machine {
public:
    /// Makes a machine, its firmware done, the kernel not yet entered. `console` must outlive it.
    /// The error is one line that says what is wrong and what to do.
    static std::expected<std::unique_ptr<Machine>, std::string>
    create(MachineConfig config, ConsoleEndpoint& console);

    Machine(Machine const&) = delete;
    Machine& operator=(Machine const&) = delete;
    ~Machine();

    /// Enters or continues the kernel until the boot processor rests or the run ends, on whichever
    /// processor. Not after it has ended.
    Stop run();

    /// Waits until running on makes sense after `run` has answered `waiting_for_input`: there is
    /// input to be read at `input_descriptor` (-1: there is none), something is pending for the
    /// boot processor, or a signal handler of the program has run. May return early.
    void wait(int input_descriptor);
    /// There may be input again, which `wait` has not been told of: the processor that looked for
    /// some last looks again. While the boot processor rests, which does so by itself in `run`.
    void note_input();

    /// Starts over: zeroed memory, firmware, the kernel not yet entered. Whatever state it was in.
    void reset();

    /// A copy of the machine at rest. Refused where other processors than the first have been
    /// started: they are never at rest together. O(memory in use).
    std::expected<Snapshot, std::string> snapshot() const;
    /// Makes the machine what it was; a snapshot of another window or memory size is refused, and
    /// by a machine that has started other processors. The TLB is empty afterwards, which no kernel
    /// can see. Time goes on from where it was. O(memory in use).
    std::expected<void, std::string> restore(Snapshot const& snapshot);

    MmuStatistics const& mmu_statistics() const { return m_mmu->statistics(); }
    u32 cached_translations() const { return m_mmu->cached(); }
    /// What the machine saw when it ended the kernel; empty unless `run` answered `crashed` or
    /// `interrupted`.
    std::string_view crash_report() const;
    /// Ends the kernel from a signal handler on the thread that runs it, as soon as that is
    /// possible: at once where the kernel computes, after the console's answer where it waits for
    /// one. `context` is what the signal interrupted. Asking again does no harm. `run` then answers
    /// `interrupted`.
    void request_stop(siginfo_t const& info, ucontext_t& context);
    /// Drives a line of the interrupt controller, as a device does. Any thread.
    void drive_line(u32 line, bool is_asserted);
    /// Whether anything but input can still happen: a processor other than the boot processor runs,
    /// or one has a deadline. While the boot processor rests.
    bool can_wake();
    /// The kernel's layout, and the machine's own view of its memory.
    hal::KernelLayout const& layout() const;
    std::span<std::byte> memory() const;

private:
    Machine(
        MachineConfig config,
        ConsoleEndpoint& console,
        std::unique_ptr<PhysicalMemory> memory,
        std::unique_ptr<Mmu> mmu);

    /// What becomes of a processor whose request has been answered.
    enum class Next : u8 { kernel, rest, halt, end };
    /// How a run has ended, and on which processor.
    struct RunEnd {
        Stop stop;
        u32 slot = 0;
        std::exception_ptr error; ///< what the console has thrown
    };

    std::expected<void, std::string> make_processors();
    std::expected<void, std::string> power_on();
    void prepare_processor(u32 slot, u64 power_on_cycles);
    void forget_translations();
    Next run_kernel(Processor& processor);
    Next run_guarded(Processor& processor);
    void run_thread(Processor& processor);
    Result<void> start_processor(Processor& by);
    void wait_in_vain(Processor& by);
    void halt_processor(Processor& processor);
    void end_run(Processor& by, Stop stop, std::exception_ptr error);
    void ask_boot_processor();
    void join_others();
    void end_others();
    void write_crash_report(bool several);
    bool has_started_others() const;
    Next answer(Processor& processor);
    Next answer_idle(Processor& processor);
    void answer_clock(Processor& processor);
    void distrust_counter();
    void answer_console(GuestCpu& cpu);
    void answer_entropy(GuestCpu& cpu);
    void answer_device(GuestCpu& cpu);
    void tell_devices(GuestCpu const& cpu, u64 address);
    void deliver_message(PhysAddr address, u32 data);
    void answer_counter(Processor& processor);
    void raise(std::optional<LineRoute> const& route);
    static Stop stop_of(GuestCpu const& cpu);
    u64 time_ns() const;
    void set_time(u64 time_ns);
    Processor& boot() const { return *m_processors.front(); }

    MachineConfig m_config;
    ConsoleEndpoint& m_console;
    std::unique_ptr<PhysicalMemory> m_memory;
    std::unique_ptr<Mmu> m_mmu;
    GuestMachine* m_guest; ///< in the memory's CPU area, the processors behind it
    std::vector<std::unique_ptr<Processor>> m_processors; ///< by slot; the first is the boot one
    bool m_at_rest = true; ///< the kernel has not ended and no request of it is half answered

    std::unique_ptr<MachineLocks> m_locks;
    PciBus m_pci;           ///< under the lock `device`
    LineController m_lines; ///< the same

    std::atomic<u32> m_running = 1; ///< processors that have not halted
    std::atomic<bool> m_all_halted = false;
    std::atomic<GuestCpu const*> m_input_reader =
        nullptr;                 ///< the processor that looked for input last
    std::optional<RunEnd> m_end; ///< under the lock `end`
    std::string m_crash_report;
};

} // namespace hosted
