// What the parts of the metal machine share behind the contract.
#pragma once

#include "hal/clock_types.hpp"
#include "hal/power_types.hpp"
#include "hal/x86_64/cpu_block.hpp"
#include "hal/x86_64/devices/deadline.hpp"
#include "hal/x86_64/devices/hpet.hpp"
#include "hal/x86_64/devices/local_apic.hpp"
#include "hal/x86_64/devices/time_scale.hpp"
#include "hal/x86_64/handover.hpp"
#include "hal/x86_64/kernel/pci_access.hpp"
#include "hal/x86_64/serial.hpp"
#include "isa/device_access.hpp"
#include "isa/extended_state.hpp"

namespace metal {

/// The interrupt controllers (controller.cpp). Written by Controller::adopt alone.
struct ControllerState {
    LocalMode mode = LocalMode::none; ///< none: not adopted
    hal::InterruptPlan plan{};
    u32 io_inputs[hal::InterruptPlan::io_controllers_max]{};
    u32 lines = 0;
    bool has_console_line = false;
    Atomic<u32> io_busy{0}; ///< the lock of the I/O APICs' registers
};

struct MappedHpetRegisters {
    VirtAddr base;

    u32 read(u32 offset) { return isa::DeviceAccess::read_32(base + Bytes{offset}); }
    void write(u32 offset, u32 value) { isa::DeviceAccess::write_32(base + Bytes{offset}, value); }
};

/// What `now` reads.
enum class CounterKind : u8 { none, time_stamp, hpet };

/// The clocks (clock.cpp, deadlines.cpp). Written by Clock::adopt, but for what says otherwise.
struct ClockState {
    hal::ClockPlan plan{};
    hal::ClockDescription description{};
    Atomic<CounterKind> counter{CounterKind::none}; ///< changes once more: distrust_counter
    DeadlineKind deadlines = DeadlineKind::none;
    u64 counter_hz = 0;
    u64 timer_hz = 0; ///< of the local timer; 0: it does not count
    TimeScale counter_scale{};
    TimeScale timer_scale{};
    bool has_hpet = false;
    Hpet<MappedHpetRegisters> hpet{};
    TimeScale hpet_scale{};
    i64 hpet_offset_ns = 0; ///< written before `counter` says hpet
    hal::Line hpet_line{};  ///< that its first comparator raises, where deadlines come from there
    Atomic<u32> comparator_busy{0};
    i64 comparator_deadline_ns = CpuBlock::never; ///< guarded by comparator_busy
    Atomic<u32> wall_busy{0};                     ///< the lock of the CMOS clock's ports
};

/// The processors that run, by number; each enters itself when it is ready to be addressed.
struct ProcessorTable {
    static constexpr u32 count_max = 256;

    Atomic<CpuBlock*> blocks[count_max]{};
};

/// The machine's own state: written by the boot processor before others run, then only read, but
/// for what guards itself: the serial port, the ways to PCI, and what the parts above say.
struct Machine {
    Handover const* handover = nullptr;
    SerialPort serial{};
    CpuBlock boot_processor{};
    isa::ExtendedFormat extended{}; ///< as the boot processor has it
    hal::PowerPlan power{};
    PciAccess pci{};
    ControllerState controller{};
    ClockState clock{};
    ProcessorTable processors{};
    Atomic<u32> console_reader{0}; ///< the processor that looked for input last
    Atomic<u32> console_vector{0}; ///< what the kernel wants raised on input; 0: nothing
    Atomic<u32> results_busy{0};   ///< the lock of the result channel
};
extern Machine the_machine; // start.cpp
inline Machine& machine() {
    return the_machine;
}

/// The running processor's own part.
inline CpuBlock& this_processor() {
    CpuBlock* block;
    // Volatile: a thread that goes on elsewhere must not keep what it has read.
    asm volatile("movq %%gs:0, %0" : "=r"(block)); // CpuBlock::self
    return *block;
}

/// The block of a processor that runs; null for any other number. O(1).
inline CpuBlock* find_processor(CpuId id) {
    return id.value < ProcessorTable::count_max
               ? machine().processors.blocks[id.value].load(acquire)
               : nullptr;
}

/// Fills the interrupt vectors, which all processors share. Once, on the boot processor.
void fill_vectors();

/// The ends of the stacks that exceptions switch to, in the order of interrupt_stack.
void set_exception_stacks(CpuBlock& processor, std::byte* const (&ends)[interrupt_stack::count]);

/// Loads this processor's descriptor tables: segments, the task state with its interrupt stacks,
/// and all 256 interrupt vectors. From then on every exception reaches the kernel's fault upcall.
void load_descriptors(CpuBlock& processor);

/// Points the GS base at `processor`.
void load_cpu_block(CpuBlock& processor);

/// Gives the running processor what it has for itself, the kernel's canary and switches on what
/// protects the kernel, as far as it has it. The first thing that a processor does in the kernel
/// image; its caller has no canary yet.
void begin_processor(CpuBlock& processor);

/// Readies the running processor's own controller and its timer, and enters it into the table.
/// After Controller::adopt, interrupts disabled.
void join_interrupts(CpuBlock& processor);

/// Routes `line`, which the kernel does not use, to a vector of the machine's own on the boot
/// processor, and lets it through. Errors: out_of_range.
Result<void> route_own_line(hal::LineInput const& input, hal::Vector vector);

/// Raises any vector on a processor that runs. Interrupts disabled.
void raise_on(CpuBlock const& target, hal::Vector vector);

/// Readies the running processor's timer for deadlines. Interrupts disabled.
void prepare_deadlines();

/// Makes another source fire the deadlines of all processors from now on, where there is one; the
/// running processor's deadline stays armed. For tests. Interrupts disabled.
bool select_deadlines(DeadlineKind kind);

/// Waits for `time`, or until `is_done(argument)`, which is asked about every 100 microseconds;
/// whether it was done. Sleeps where interrupts are enabled. After Clock::adopt.
bool wait_for(Nanos time, bool (*is_done)(void*), void* argument);

/// Finds out which performance counters the running processor has.
void prepare_counters(CpuBlock& processor);

} // namespace metal
