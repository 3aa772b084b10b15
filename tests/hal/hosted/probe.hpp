// A kernel for tests of the hosted machine: it runs one function of the test and powers off.
//
// The test fills a Probe, and run_probe boots a machine on it. The functions run as kernel code
// does: on a stack in simulated memory, where GoogleTest must not be called; they leave what they
// saw in the Probe (or an object that embeds it) and the test looks at it afterwards.
#pragma once

#include "core/sync/sync.hpp"
#include "hal/boot.hpp"
#include "hal/context.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/mmu.hpp"
#include "hal/upcalls.hpp"

#include <deque>
#include <string>

namespace hosted::test {

struct Probe {
    sync::CpuState state{}; ///< first: by it the kernel's rooms know the processor
    void (*body)(Probe& self, hal::BootInfo const& info) = nullptr;
    /// The fault upcall; null: record the fault in `fault` and recover to `point` or, without one,
    /// power off with status 70.
    hal::FaultAction (*on_fault)(Probe& self, hal::Fault const& fault) = nullptr;
    /// The interrupt upcall, which acknowledges; null: count them in `interrupts` and acknowledge.
    void (*on_interrupt)(Probe& self, hal::Interruption const& interruption) = nullptr;
    /// What the processors do that the body has started.
    void (*on_processor)(Probe& self) = nullptr;
    void* argument = nullptr; ///< the test's own

    hal::RecoveryPoint* point = nullptr;
    u64 faults = 0;
    u64 interrupts = 0; ///< on one processor
    hal::FaultKind kind{};
    hal::PageFaultCause cause{};
    u64 code = 0;
    u64 address = 0;
    u64 instruction = 0;
    u64 stack_pointer = 0;
    char name[64] = {};

    // What the body may use: physical frames, and mappings in the page tables that the firmware
    // made.
    u64 next_frame = 0;
    u64 end_of_frames = 0;

    u64 take_frame();
    /// Sets the entry for `virtual_address` at `level`; a raw entry, 0 to take it away. Makes
    /// tables on the way.
    void set_entry(u64 virtual_address, u64 entry, unsigned level = 0);
    void
    map(u64 virtual_address, u64 frame, hal::Access access, unsigned level = 0, bool global = true);
    /// Starts processor `id` with stacks of its own; it runs `on_processor`, then halts.
    Result<void> start_processor(u32 id, hal::BootInfo const& info);
    /// Takes the interrupt controller and the clock over, and lets interrupts through.
    void open_interrupts();
    /// Calls function(argument); true if it returned, false if a fault was recovered from.
    bool guarded(void (*function)(void*), void* function_argument);
};

/// A console that remembers.
struct MemoryConsole final : ConsoleEndpoint {
    std::string output;
    std::string results;
    std::deque<char> input;
    bool ended = false;

    void write(std::string_view text) override { output += text; }
    hal::ConsoleInput read() override;
    void write_result(std::span<std::byte const> bytes) override;
    void type(std::string_view text) { input.insert(input.end(), text.begin(), text.end()); }
};

/// A machine that will run `probe`. Fails the test if it cannot be made.
std::unique_ptr<Machine>
make_machine(Probe& probe, MemoryConsole& console, MachineConfig config = {});

/// Boots a machine on `probe` and runs it until it stops.
Stop run_probe(Probe& probe, MachineConfig config = {});

/// hal::Context::switch_between as kernel code has it: tests are compiled with a red zone and with
/// vector registers, which it does not keep.
void switch_stacks(hal::Context& from, hal::Context& to);

} // namespace hosted::test
