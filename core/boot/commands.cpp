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
constexpr Column argument_columns[] = {{"argument", 10}, {"meaning", 52}, {"one of", 0}};
constexpr Column example_columns[] = {{"example", 24}, {"shows", 0}};
constexpr Column map_columns[] = {{"start", 18}, {"end", 18}, {"KiB", 10}, {"kind", 0}};
constexpr Column window_columns[] = {{"window", 8}, {"start", 18}, {"end", 18}, {"MiB", 0}};
constexpr Column cpu_columns[] = {{"property", 10}, {"value", 0}};
constexpr Column log_columns[] = {{"cycle", 14}, {"cpu", 3}, {"level", 7}, {"message", 0}};
constexpr Column step_columns[] = {{"step", 14}, {"state", 8}, {"requires", 24}, {"summary", 0}};

u8 list_commands(CommandContext& context) {
    context.out.table(help_columns);
    for (auto const table : context.kernel.parts.commands) {
        for (Command const& command : table) {
            context.out.row({command.name, usage_of(command).view(), command.summary});
        }
    }
    return status::success;
}

u8 help(CommandContext& context) {
    if (context.arguments.empty()) {
        return list_commands(context);
    }
    Command const* const command = find_command(context.kernel.parts, context.arguments[0]);
    if (command == nullptr) {
        context.out.line("help: there is no command '{}'", context.arguments[0]);
        return status::failure;
    }
    bool const has_arguments = !command->known_arguments().empty();
    context.out.line(
        "{}{}{}: {}", command->name, has_arguments ? " " : "", usage_of(*command).view(),
        command->summary);
    if (has_arguments) {
        context.out.table(argument_columns);
        for (Argument const& argument : command->known_arguments()) {
            context.out.row({argument.name, argument.help, argument.choices});
        }
    }
    if (!command->known_examples().empty()) {
        context.out.table(example_columns);
        for (Example const& example : command->known_examples()) {
            context.out.row({example.line, example.tells});
        }
    }
    return status::success;
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
        context.out.line("fault: the machine cannot provoke '{}'", kind);
        return status::failure;
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
    {"help",
     "lists the commands, or explains one",
     help,
     {{"COMMAND", "which one to explain", ArgumentKind::command, ArgumentCount::optional}},
     {{"help", "all commands with their arguments"}, {"help heap", "one of them, with examples"}}},
    {"version", "tells version, machine and build", version},
    {"memmap", "shows physical memory and the kernel's windows", memmap},
    {"mem", "sums up memory by kind and by zone", show_memory},
    {"frames", "shows free frames by order, magazines and counts", show_frames},
    {"cpu", "describes the processor", cpu},
    {"cpus", "lists the processors and what each does", show_processors},
    {"irq", "shows interrupt vectors, their counts, and lines", show_interrupts},
    {"timers", "shows the clock, deadlines, and how late they were", show_timers},
    {"log", "shows the kernel's last messages", log},
    {"acpi", "lists the firmware's tables and what they say", show_firmware_tables},
    {"lspci", "lists the functions of the PCI buses", show_pci},
    {"heap",
     "shows what the kernel's heap holds and wastes, or who holds it",
     show_heap,
     {{"WHAT", "something else: who holds blocks, or a mistake on purpose", ArgumentKind::choice,
       ArgumentCount::optional, "leaks misuse"},
      {"KIND", "of the mistake", ArgumentKind::text, ArgumentCount::optional}},
     {{"heap", "what it holds and wastes"},
      {"heap leaks", "who holds blocks, in a checked build"}}},
    {"pools", "shows scratch buffers and what tensors take", show_pools},
    {"vm", "shows the kernel's address space and its faults", show_kernel_space},
    {"startup", "shows the start-up graph and its state", startup},
    {"panic",
     "ends the run as a broken invariant would",
     panic_command,
     {{"CAUSE", "what the report says", ArgumentKind::text, ArgumentCount::optional}},
     {{"panic 'on purpose'", "a report with this cause"}}},
    {"fault",
     "provokes a fault",
     fault,
     {{"KIND", "which one; read if none is named", ArgumentKind::choice, ArgumentCount::optional,
       provocable_faults}},
     {{"fault divide", "divides by zero"}}},
    {"halt",
     "powers off",
     halt,
     {{"STATUS", "of the run, 0 to 63", ArgumentKind::number, ArgumentCount::optional}},
     {{"halt", "the run ends well"}, {"halt 3", "the run ends with status 3"}}},
    {"reset", "starts the machine anew; a run ends with it", reset},
};

} // namespace

CommandTable basic_commands() {
    return {"machine", basic_table};
}

} // namespace twofold::boot
