// From the machine's call to the first command, and from the last command to power off.
#include "core/boot/kernel.hpp"

#include "core/boot/console.hpp"
#include "core/boot/firmware.hpp"
#include "core/boot/heap.hpp"
#include "core/boot/panic.hpp"
#include "hal/console.hpp"
#include "hal/cpu.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"

#include <new>

namespace twofold::boot {

using trace::EventKind;
using trace::LogLevel;
using trace::Record;
using trace::RecordType;

Kernel::Kernel(
    hal::BootInfo const& info,
    Options const& chosen,
    memory::MemoryMap const& map,
    memory::EarlyFrames const& first_frames,
    Composition const& composed)
    : boot_info(info),
      options(chosen),
      parts(composed),
      memory_map(map),
      early_frames(first_frames) {
    boot_cpu.kernel = this;
    boot_cpu.id = hal::Cpu::id();
    boot_cpu.interrupts = &interrupts.table();
    boot_cpu.lines = &interrupts;
    CHECK(boot_cpu.id == CpuId{0});
    cpus.add(boot_cpu);
}

void Kernel::log_text(LogLevel level, std::string_view text) {
    log_ring.push(hal::Cpu::cycle_counter(), hal::Cpu::id(), level, text);
}

void Kernel::event(EventKind kind, u64 a, u64 b) {
    events.push({hal::Cpu::cycle_counter(), kind, hal::Cpu::id(), a, b});
}

void Kernel::send(Record& record) {
    hal::Console::write_result(record.finish());
}

void Kernel::power_off(u8 status) {
    if (before_end != nullptr) {
        before_end(before_end_context);
    } else if constexpr (memory::heap_checks_enabled) {
        report_leaks(*this); // a session that lives still holds what it needs
    }
    end_devices();
    Record record(RecordType::exit);
    send(record.integer(status));
    adopt_power_plan(*this);
    hal::Power::exit(status);
}

void Kernel::end_devices() {
    if (rest_devices != nullptr) {
        rest_devices(*this);
    }
}

void Kernel::reset() {
    end_devices();
    Record record(RecordType::reset);
    send(record);
    adopt_power_plan(*this);
    hal::Power::reset();
}

void Kernel::run() {
    Record hello(RecordType::hello);
    hello.text(boot_info.machine).text(TWOFOLD_VERSION).text(parts.image);
    send(hello.number(boot_info.image_base.value).number(boot_info.image_size.value));
    start_up();
    Record ready(RecordType::ready);
    send(ready.number(hal::Cpu::cycle_counter()));
    power_off(options.has_command ? run_commands() : run_console());
}

void Kernel::start_up() {
    auto created = StartupPlan::create(parts.steps);
    if (!created) {
        panic("the image has more start-up steps than a plan holds");
    }
    plan = created.value();
    for (u8 const index : plan.order()) {
        run_step(index);
    }
    if (!plan.is_complete()) {
        report_unreached();
    }
}

void Kernel::run_step(usize index) {
    Step const& step = plan.step(index);
    if (!plan.is_ready(index)) {
        plan.set_state(index, StepState::blocked);
        return;
    }
    plan.set_state(index, StepState::running);
    event(EventKind::step_started, index);
    Record started(RecordType::step);
    send(started.text(step.name).text("started"));
    auto const outcome = step.run(*this);
    plan.set_state(index, outcome ? StepState::done : StepState::failed);
    if (outcome) {
        event(EventKind::step_done, index);
    } else {
        event(EventKind::step_failed, index, static_cast<u64>(outcome.error()));
        log(LogLevel::error, "start-up step '{}' failed: {}", step.name, outcome.error());
    }
    Record ended(RecordType::step);
    send(ended.text(step.name).text(outcome ? "done" : "failed"));
}

void Kernel::report_unreached() {
    Output out = console_output();
    for (usize i = 0; i < plan.size(); ++i) {
        if (plan.state(i) == StepState::done) {
            continue;
        }
        format_to(out, "start-up step '{}': {}", plan.step(i).name, step_state_name(plan.state(i)));
        if (plan.state(i) != StepState::failed) {
            format_to(out, "; it waits for '{}'", plan.missing_requirement(i));
        }
        out.write("\n");
    }
    panic("the start-up is incomplete");
}

bool Kernel::has_shell() const {
    return parts.lines != nullptr && threads != nullptr && options.has_shell;
}

u8 Kernel::run_commands() {
    if (has_shell()) {
        return parts.lines->run(*this, options.command.view());
    }
    Output out = console_output();
    return run_line(*this, out, options.command.view(), status::success);
}

u8 Kernel::run_console() {
    if (has_shell()) {
        return parts.lines->converse(*this);
    }
    Output out = console_output();
    Console console(out, options.console);
    u8 last = status::success;
    while (auto const line = console.read_line()) {
        last = run_line(*this, out, *line, last);
    }
    return last;
}

Kernel* try_current_kernel() {
    auto const* const cpu = static_cast<PerCpu const*>(sync::cpu_state());
    return cpu != nullptr ? cpu->kernel : nullptr;
}

Kernel& current_kernel() {
    Kernel* const kernel = try_current_kernel();
    CHECK(kernel != nullptr);
    return *kernel;
}

Output console_output() {
    return {nullptr, [](void*, std::string_view text) { hal::Console::write(text); }};
}

} // namespace twofold::boot

/// Before the kernel object exists there is memory to find for it, and only the console to complain
/// to.
extern "C" void kernel_start(hal::BootInfo const& info) {
    using namespace twofold;
    auto const options = boot::Options::parse(info.command_line);
    if (!options.nonce.view().empty()) {
        hal::Console::write(options.nonce.view());
        hal::Console::write("\n");
    }
    auto const map = memory::MemoryMap::create(info.memory);
    if (!map) {
        boot::panic("the memory map of the firmware has more ranges than can be kept");
    }
    memory::EarlyFrames frames(map.value());
    auto const place = frames.allocate(align_up(Bytes{sizeof(boot::Kernel)}, page_size), page_size);
    if (!place) {
        boot::panic("no usable memory for the kernel object; give the machine more memory");
    }
    auto* const kernel = new (hal::Memory::linear(place.value()))
        boot::Kernel(info, options, map.value(), frames, boot::composition());
    hal::Cpu::set_per_cpu(static_cast<sync::CpuState*>(&kernel->boot_cpu));
    kernel->cpus.set_online(kernel->boot_cpu);
    kernel->run();
}
