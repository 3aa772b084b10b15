// The start-up steps that every image begins with.
#include "core/boot/firmware.hpp"
#include "core/boot/frames.hpp"
#include "core/boot/heap.hpp"
#include "core/boot/interrupts.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/pci.hpp"
#include "core/boot/pools.hpp"
#include "core/boot/processors.hpp"
#include "core/boot/space.hpp"
#include "hal/cpu.hpp"

namespace twofold::boot {

namespace {

using trace::LogLevel;

Result<void> check_options(Kernel& kernel) {
    if (!kernel.options.problem.view().empty()) {
        kernel.log(LogLevel::warning, "{}", kernel.options.problem);
    }
    return {};
}

Result<void> account_memory(Kernel& kernel) {
    Bytes usable{};
    for (auto const& range : kernel.memory_map.ranges()) {
        CHECK(is_aligned(range.base, page_size) && range.size.value != 0);
        if (range.kind == hal::MemoryKind::usable) {
            usable += range.size;
        }
    }
    if (usable.value == 0) {
        return Error::out_of_memory;
    }
    kernel.log(
        LogLevel::info, "{} KiB of usable memory in {} ranges", usable.value >> 10,
        kernel.memory_map.ranges().size());
    return {};
}

/// Without symbols the kernel runs; only its stacks are bare numbers.
Result<void> open_symbols(Kernel& kernel) {
    if (kernel.boot_info.symbols.empty()) {
        kernel.log(LogLevel::warning, "the image carries no symbols");
        return {};
    }
    auto const table = trace::SymbolTable::open(kernel.boot_info.symbols);
    if (!table) {
        kernel.log(LogLevel::warning, "the image's symbols are {}", table.error());
        return {};
    }
    kernel.symbols = table.value();
    return {};
}

Result<void> describe_processor(Kernel& kernel) {
    hal::CpuDescription const cpu = hal::Cpu::describe();
    kernel.log(
        LogLevel::info, "processor {} of {}: {}", hal::Cpu::id(), hal::Cpu::count(),
        text_of(cpu.model));
    return {};
}

/// What runs until then becomes a thread.
Result<void> begin_threads(Kernel& kernel) {
    return kernel.parts.open_threads != nullptr ? kernel.parts.open_threads(kernel)
                                                : Result<void>();
}

Result<void> check_commands(Kernel& kernel) {
    for (auto const table : kernel.parts.commands) {
        for (Command const& command : table) {
            usize named = 0;
            for (auto const other : kernel.parts.commands) {
                for (Command const& candidate : other) {
                    named += candidate.name == command.name ? 1 : 0;
                }
            }
            if (named != 1) {
                kernel.log(LogLevel::error, "the command '{}' is declared twice", command.name);
                return Error::already_exists;
            }
        }
    }
    return {};
}

Result<void> announce(Kernel& kernel) {
    kernel.log(
        LogLevel::info, "{} is ready, entered by {}", kernel.boot_info.machine,
        kernel.boot_info.protocol);
    return {};
}

constexpr Step steps[] = {
    {"options", "reads the kernel command line", {}, check_options},
    {"memory", "accounts for the physical memory", {}, account_memory},
    {"space", "takes over the kernel's page tables", {"frames"}, open_kernel_space},
    {"heap", "opens the kernel's heap", {"space"}, open_heap},
    {"pools", "reserves the scratch buffers", {"heap"}, open_pools},
    {"symbols", "opens the image's symbol table", {}, open_symbols},
    {"processor", "describes the boot processor", {}, describe_processor},
    {"acpi", "reads the firmware's tables", {"memory"}, open_firmware_tables},
    {"topology",
     "finds out which processors there are",
     {"options", "acpi", "memory"},
     open_topology},
    {"frames", "builds the allocator of frames", {"memory", "topology"}, build_frames},
    {"interrupts", "takes over the interrupt controllers", {"space"}, open_interrupts},
    {"clock", "measures the clocks", {"interrupts"}, open_clock},
    {"delivery", "lets interrupts through", {"clock"}, let_interrupts_through},
    {"processors", "starts the other processors", {"delivery", "pools"}, start_processors},
    {"threads", "begins threads, in images that have them", {"processors"}, begin_threads},
    {"pci", "finds the way to the PCI buses", {"space", "acpi"}, open_pci},
    {"commands", "checks the tables of commands", {"options"}, check_commands},
    {"ready",
     "everything that commands need is there",
     {"pools", "symbols", "processor", "threads", "pci", "commands"},
     announce},
};

} // namespace

std::span<Step const> basic_steps() {
    return steps;
}

} // namespace twofold::boot
