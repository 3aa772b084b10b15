// A virtual CPU: what the kernel on it and the machine around it share.
//
// The kernel runs on its own stacks in simulated memory and never calls the host: whatever needs
// the host, it asks for in `request` and switches out to the machine (exit_to_machine), which
// answers on its own stack and switches back. So no host code ever runs on a kernel stack, and a
// kernel that has switched out is at rest: copying its memory and this struct copies it whole.
//
// Invariant: plain data, and always at the same place of the machine's window (windows.hpp), since
// the kernel's stacks refer to it. The only word that belongs to the host is `machine_stack`, which
// each entry of the kernel sets anew.
#pragma once

#include "hal/hosted/cpu_block.hpp"
#include "hal/hosted/dma_tables.hpp"
#include "hal/hosted/guest/fault_slot.hpp"
#include "hal/hosted/guest/interrupt_words.hpp"
#include "hal/hosted/guest/stack_bounds.hpp"
#include "hal/interrupt.hpp"
#include "hal/layout.hpp"
#include "hal/processors_types.hpp"

#include <cstdint>
#include <type_traits>

namespace hosted {

/// What the kernel asks of the machine.
enum class Request : u8 {
    none,
    idle,
    console_write,   ///< arguments: bytes in `transfer`
    console_read,    ///< result: status in bits 8 to 15, the byte in bits 0 to 7
    result_write,    ///< arguments: bytes in `transfer`
    entropy,         ///< arguments: bytes wanted in `transfer`
    mmu_activate,    ///< arguments: root
    mmu_flush,       ///< arguments: address, size
    mmu_stale,       ///< result: translations that the tables do not bear out
    pci_read,        ///< arguments: a packed PciAccess; result: what it reads
    pci_write,       ///< arguments: a packed PciAccess, the value
    device_write,    ///< arguments: where the kernel has written to a register
    dma_domain,      ///< arguments: a packed PciAccess; result: the number of DmaDomain
    port_read,       ///< arguments: a packed PortAccess; result: what it reads
    port_write,      ///< arguments: a packed PortAccess, the value
    notify,          ///< arguments: the slot of a processor, what is pending for it; 0: an NMI
    yield,           ///< the caller spins, others may need the processor of the host; in the
                     ///< simulator: the time that it was given is over; arguments: it spins
    line_route,      ///< arguments: a line, a packed LineRoute
    line_mask,       ///< arguments: a line, whether it is masked
    line_end,        ///< arguments: the vector of a level that has been dealt with
    processor_start, ///< arguments: a StartRequest in `transfer`; result: see result_of
    processor_halt,
    counter_has,    ///< arguments: the event; result: whether the host counts it
    counter_start,  ///< arguments: the event; result: see result_of
    counter_read,   ///< arguments: the event; result: see result_of; arguments[0] becomes the count
    counter_stop,   ///< arguments: the event; result: see result_of
    clock_adopt,    ///< time begins
    clock_describe, ///< arguments become: Hz of the counter, error in ppm; result: it is invariant
    clock_common,   ///< result: the time by a clock of the host that all processors share
    clock_distrust, ///< result: whether there is such a clock
    clock_set,      ///< the deadline lies before what the host's timer is set to
    clock_wall,     ///< result: nanoseconds since 1970
    probe_fails,    ///< arguments: a FaultPoint; result: whether it is to fail. In the simulator
    probe_note,     ///< arguments: a probe::Note, its value. In the simulator
    power_exit,     ///< arguments: status
    power_reset,
    crash, ///< never asked for: the machine ended a kernel that no fault can be delivered to
};

inline constexpr usize transfer_bytes = 4096;

/// How a request that may fail answers in `result`.
inline constexpr u64 no_error = ~u64{0};
inline Result<void> result_of(u64 answer) {
    return answer == no_error ? Result<void>() : Result<void>(static_cast<Error>(answer));
}
inline u64 answer_of(Result<void> const& outcome) {
    return outcome ? no_error : static_cast<u64>(outcome.error());
}

/// What a processor is started with.
struct StartRequest {
    u32 id;
    u32 hardware_id;
    u64 kernel_stack; ///< what the first entry continues
    StackBounds stack;
    StackBounds emergency_stack;
    void* per_cpu;
};
static_assert(sizeof(StartRequest) <= transfer_bytes);
inline constexpr u32 cpus_max = 64;
/// For faults that cannot trust the stack they interrupted; a whole panic must fit.
inline constexpr u64 emergency_stack_bytes = u64{128} << 10;

inline constexpr u64 low_memory_end = u64{640} << 10;

struct GuestCpu;

/// What all processors of a machine share. Constant while they run, unless said otherwise.
struct GuestMachine {
    GuestCpu* processors[cpus_max] = {}; ///< by CpuId; set when one is started
    bool has_controller = false;         ///< the kernel has adopted it
    u32 console_vector = 0; ///< what the kernel wants raised on input; 0: nothing. Atomic.
    u64 common_clock_offset_ns =
        0;                  ///< by which the host's clock is ahead, where no counter is used
    i64 latest_ns = 0;      ///< in the simulator: what the clock last said on any processor
    bool has_clock = false; ///< in the simulator: the kernel has adopted it
    std::byte* dma_tables = nullptr; ///< dma_tables.hpp
    u64 high_memory_begin = 0;       ///< RAM is below low_memory_end and from here on
    u64 points_armed = 0; ///< in the simulator: those fault points of which the engine decides
    u64 points_reached[fault_points] = {}; ///< how often, where somebody listens
};

/// The deadline of a processor. Its own thread alone uses it, the signal handler included.
struct Deadline {
    static constexpr i64 never = INT64_MAX;
    i64 wanted_ns = never; ///< by the kernel
    i64 set_ns = never;    ///< what the host's timer will fire at, or has fired at unseen
};

struct GuestCpu : CpuBlock {
    GuestMachine* machine = nullptr;
    u32 slot = 0; ///< which of the machine's processors it is
    hal::CoreClass core_class = hal::CoreClass::uniform;
    u64 kernel_stack = 0;  ///< saved stack pointer of the kernel, while the machine runs
    u64 machine_stack = 0; ///< saved stack pointer of the machine, while the kernel runs
    /// The kernel stack that runs, or will when the machine continues it; where no sanitizer wants
    /// to know it, the one that it began on.
    StackBounds stack{};
    StackBounds machine_bounds{};    ///< the machine's stack, where a sanitizer wants to know
    StackBounds interrupted_stack{}; ///< while `stack` is the emergency stack: the one before
    StackBounds emergency_stack{};   ///< for faults that cannot trust the interrupted stack
    bool on_emergency_stack = false; ///< a double fault has not been answered yet
    hal::KernelLayout layout{};
    PhysAddr root{};          ///< of the active page tables
    u64 memory_bytes = 0;     ///< physical memory is [0, memory_bytes)
    bool was_started = false; ///< other than the boot processor: its kernel has been entered
    bool in_kernel = false;   ///< the kernel's stack is the one that runs
    Request request = Request::none;
    u64 arguments[2] = {};
    u64 result = 0;
    FaultSlot fault{};
    FaultFrame interrupted{}; ///< on its way to hosted_interrupt_entry
    InterruptWords interrupts{};
    Deadline deadline{};
    alignas(16) u64 scratch_stack[16] = {}; ///< where a crashed kernel is left behind
    char transfer[transfer_bytes] = {};
};
static_assert(std::is_trivially_copyable_v<GuestCpu> && std::is_trivially_destructible_v<GuestCpu>);

/// The virtual CPU that runs the caller. Kernel code only. O(1).
inline GuestCpu& guest_cpu() {
    return static_cast<GuestCpu&>(cpu_block());
}

/// Interrupts are disabled on this processor while it lives: the caller stays on it, and nobody
/// else uses what a request is made with.
class Undisturbed {
public:
    Undisturbed() : m_before(hal::Interrupt::disable()), m_cpu(guest_cpu()) {}
    Undisturbed(Undisturbed const&) = delete;
    Undisturbed& operator=(Undisturbed const&) = delete;
    ~Undisturbed() { hal::Interrupt::restore(m_before); }

    GuestCpu& cpu() const { return m_cpu; }

private:
    hal::InterruptState m_before;
    GuestCpu& m_cpu;
};

/// Asks the machine for `request` and returns when it has answered. Kernel code only, with
/// interrupts disabled.
void exit_to_machine(GuestCpu& cpu, Request request, u64 first = 0, u64 second = 0);

/// Takes a non-maskable interrupt that came where it could not be taken. Kernel code only.
void take_non_maskable();

/// A switch between stacks is over: what has been held back meanwhile is delivered, if interrupts
/// are enabled. Kernel code only.
inline void end_switch() {
    set_flag<switching_flag>(false);
    if (guest_cpu().interrupts.has_non_maskable()) [[unlikely]] {
        take_non_maskable();
    }
    hal::Interrupt::poll();
}

/// The first kernel code on a machine: enters kernel_start with the BootInfo at `boot_info`.
[[noreturn]] void guest_start(void* boot_info);

} // namespace hosted
