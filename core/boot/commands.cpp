// The commands that every image offers.
#include "core/boot/command.hpp"

#include "core/boot/firmware.hpp"
#include "core/boot/frames.hpp"
#include "core/boot/heap.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/panic.hpp"
#include "core/boot/pci.hpp"
#include "core/boot/pools.hpp"
#include "core/boot/processor_commands.hpp"
#include "core/boot/provoke.hpp"
#include "core/boot/space.hpp"
#include "hal/cpu.hpp"
#include "hal/layout.hpp"

namespace twofold::boot {

namespace {

constexpr Column help_columns[] = {{"command", 10}, {"arguments", 12}, {"summary", 0}};
constexpr Column map_columns[] = {{"start", 18}, {"end", 18}, {"KiB", 10}, {"kind", 0}};
constexpr Column window_columns[] = {{"window", 8}, {"start", 18}, {"end", 18}, {"MiB", 0}};
constexpr Column cpu_columns[] = {{"property", 10}, {"value", 0}};
constexpr Column log_columns[] = {{"cycle", 14}, {"cpu", 3}, {"level", 7}, {"message", 0}};
constexpr Column step_columns[] = {{"step", 14}, {"state", 8}, {"requires", 24}, {"summary", 0}};

u8 help(CommandContext& context) {
    context.out.table(help_columns);
    bool found = false;
    for (auto const table : context.kernel.parts.commands) {
        for (Command const& command : table) {
            bool const wanted = context.arguments.empty() || context.arguments[0] == command.name;
            if (wanted) {
                context.out.row({command.name, command.arguments, command.summary});
                found = true;
            }
        }
    }
    if (!found) {
        context.out.line("help: there is no command '{}'", context.arguments[0]);
    }
    return found ? status::success : status::failure;
}

u8 version(CommandContext& context) {
    context.out.line(
        "Twofold {} ({}, {} image, {}, {})", TWOFOLD_VERSION, context.kernel.boot_info.machine,
        context.kernel.parts.image, TWOFOLD_COMPILER, TWOFOLD_BUILD);
    return status::success;
}

u8 memmap(CommandContext& context) {
    Kernel const& kernel = context.kernel;
    context.out.table(map_columns);
    Bytes usable{};
    for (auto const& range : kernel.memory_map.ranges()) {
        context.out.row(
            {range.base, range.base + range.size, Bytes{range.size.value >> 10},
             memory::kind_name(range.kind)});
        if (range.kind == hal::MemoryKind::usable) {
            usable += range.size;
        }
    }
    context.out.line(
        "{} KiB usable, {} KiB of it taken for start-up", usable.value >> 10,
        kernel.early_frames.allocated().value >> 10);
    hal::KernelLayout const layout = hal::Layout::current();
    context.out.table(window_columns);
    auto const window = [&](std::string_view name, hal::Window const& where) {
        context.out.row({name, where.base, where.base + where.size, Bytes{where.size.value >> 20}});
    };
    window("linear", layout.linear);
    window("heap", layout.heap);
    window("stacks", layout.stacks);
    window("views", layout.views);
    window("image", {kernel.boot_info.image_base, kernel.boot_info.image_size});
    return status::success;
}

u8 cpu(CommandContext& context) {
    hal::CpuDescription const cpu = hal::Cpu::describe();
    context.out.table(cpu_columns);
    context.out.row({"number", u64{hal::Cpu::id().value}});
    context.out.row({"count", hal::Cpu::count()});
    context.out.row({"vendor", text_of(cpu.vendor)});
    context.out.row({"model", text_of(cpu.model)});
    context.out.row({"family", cpu.family});
    context.out.row({"model no.", cpu.model_number});
    context.out.row({"stepping", cpu.stepping});
    FixedString<512> features;
    for (unsigned bit = 0; bit < 64; ++bit) {
        std::string_view const name = hal::Cpu::feature_name(bit);
        if ((cpu.features >> bit & 1) != 0 && !name.empty()) {
            features.append(features.view().empty() ? "" : " ").value();
            features.append(name).value();
        }
    }
    context.out.row({"features", features.view()});
    return status::success;
}

u8 log(CommandContext& context) {
    context.out.table(log_columns);
    context.kernel.log_ring.for_each([&](trace::LogEntry const& entry) {
        context.out.row(
            {entry.cycles, entry.cpu.value, trace::level_name(entry.level), entry.text()});
    });
    return status::success;
}

u8 startup(CommandContext& context) {
    context.out.table(step_columns);
    StartupPlan const& plan = context.kernel.plan;
    for (usize i = 0; i < plan.size(); ++i) {
        Step const& step = plan.step(i);
        FixedString<256> requirements;
        for (std::string_view const name : step.requirements) {
            if (!name.empty()) {
                requirements.append(requirements.view().empty() ? "" : " ").value();
                requirements.append(name).value();
            }
        }
        context.out.row(
            {step.name, step_state_name(plan.state(i)), requirements.view(), step.summary});
    }
    return status::success;
}

u8 panic_command(CommandContext& context) {
    panic(context.arguments.empty() ? "asked for by the command 'panic'" : context.arguments[0]);
}

u8 fault(CommandContext& context) {
    std::string_view const kind = context.arguments.empty() ? "read" : context.arguments[0];
    if (!provoke_fault(kind)) {
        context.out.line("fault: unknown kind '{}'; one of: {}", kind, provocable_faults);
        return status::usage;
    }
    context.out.line("fault: the machine let '{}' pass", kind);
    return status::failure;
}

u8 halt(CommandContext& context) {
    u64 outcome = status::success;
    if (!context.arguments.empty()) {
        auto const parsed = parse_unsigned(context.arguments[0]);
        if (!parsed || parsed.value() > status::command_max) {
            context.out.line("halt: the status is a number from 0 to 63");
            return status::usage;
        }
        outcome = parsed.value();
    }
    context.out.end(static_cast<u8>(outcome));
    context.kernel.power_off(static_cast<u8>(outcome));
}

u8 reset(CommandContext& context) {
    context.out.end(status::success);
    context.kernel.reset();
}

constexpr Command basic_table[] = {
    {"help", "[COMMAND]", "lists the commands", 1, help},
    {"version", "", "tells version, machine and build", 0, version},
    {"memmap", "", "shows physical memory and the kernel's windows", 0, memmap},
    {"mem", "", "sums up memory by kind and by zone", 0, show_memory},
    {"frames", "", "shows free frames by order, magazines and counts", 0, show_frames},
    {"cpu", "", "describes the processor", 0, cpu},
    {"cpus", "", "lists the processors and what each does", 0, show_processors},
    {"irq", "", "shows interrupt vectors, their counts, and lines", 0, show_interrupts},
    {"timers", "", "shows the clock, deadlines, and how late they were", 0, show_timers},
    {"log", "", "shows the kernel's last messages", 0, log},
    {"acpi", "", "lists the firmware's tables and what they say", 0, show_firmware_tables},
    {"lspci", "", "lists the functions of the PCI buses", 0, show_pci},
    {"heap", "[leaks]", "shows what the kernel's heap holds and wastes, or who holds it", 2,
     show_heap},
    {"pools", "", "shows scratch buffers and what tensors take", 0, show_pools},
    {"vm", "", "shows the kernel's address space and its faults", 0, show_kernel_space},
    {"startup", "", "shows the start-up graph and its state", 0, startup},
    {"panic", "[CAUSE]", "ends the run as a broken invariant would", 1, panic_command},
    {"fault", "[KIND]", "provokes a fault: read write execute null divide opcode stack", 1, fault},
    {"halt", "[STATUS]", "powers off", 1, halt},
    {"reset", "", "starts the machine anew; a run ends with it", 0, reset},
};

} // namespace

std::span<Command const> basic_commands() {
    return basic_table;
}

} // namespace twofold::boot
