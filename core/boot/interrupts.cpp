// See interrupts.hpp.
#include "core/boot/interrupts.hpp"

#include "core/boot/kernel.hpp"
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/layout.hpp"
#include "hal/processors.hpp"
#include "hal/upcalls.hpp"

namespace twofold::boot {

namespace {

using trace::LogLevel;

constexpr Bytes local_registers{4096};
constexpr Bytes io_registers{64}; // index, data and EOI
constexpr usize serial_line = 4;  // of the first serial port, by the custom of PCs
constexpr Bytes hpet_registers{1024};

/// What the MADT says, or that there is nothing to say.
InterruptDescription describe_interrupts(Kernel& kernel) {
    if (!kernel.acpi_tables) {
        return {};
    }
    auto const table = kernel.acpi_tables->find(acpi::madt_signature);
    if (!table) {
        return {}; // the step `topology` has said why
    }
    auto const madt = acpi::parse_madt(table.value());
    return madt ? read_interrupts(madt.value(), kernel.topology) : InterruptDescription();
}

/// Shows the kernel a device's registers; no address where that fails, which is logged.
VirtAddr show_registers(Kernel& kernel, PhysAddr registers, Bytes size, std::string_view what) {
    auto const view = kernel.space->map_device(registers, size, hal::CacheMode::uncached);
    if (!view) {
        kernel.log(
            LogLevel::warning, "{} at {} cannot be reached: {}", what, registers, view.error());
        return {};
    }
    return view.value();
}

hal::InterruptPlan make_plan(Kernel& kernel, InterruptDescription const& description) {
    hal::InterruptPlan plan;
    if (description.local != PhysAddr{}) {
        plan.local = show_registers(kernel, description.local, local_registers, "the local APIC");
    }
    for (InterruptDescription::IoController const& io : description.io) {
        VirtAddr const view = show_registers(kernel, io.address, io_registers, "an I/O APIC");
        if (view != VirtAddr{}) {
            plan.io[plan.io_count++] = {.view = view, .first_line = io.first_line};
        }
    }
    LegacyLine const& console = description.legacy[serial_line];
    plan.console = {console.line, console.trigger, console.polarity};
    for (hal::InterruptPlan::LocalNonMaskable const& input : description.non_maskable) {
        plan.non_maskable[plan.non_maskable_count++] = input;
    }
    return plan;
}

processor::Handling take_deadline(void*, hal::Interruption const&) {
    processor::TimerQueue& timers = processor::this_cpu().timers;
    if (!timers.is_open()) {
        return processor::Handling::not_mine;
    }
    timers.expire();
    return processor::Handling::handled;
}

processor::Handling take_call(void*, hal::Interruption const&) {
    processor::CpuSet::serve(processor::this_cpu());
    return processor::Handling::handled;
}

/// In context work.
void report_storm(void* kernel, processor::StormReport const& report) {
    auto& self = *static_cast<Kernel*>(kernel);
    if (report.line) {
        self.log(
            LogLevel::warning, "line {} ('{}') is masked for a while: {}", report.line->value,
            report.name, processor::storm_name(report.storm));
    } else {
        self.log(
            LogLevel::warning, "vector {} ('{}') is muted for a while: {}",
            u32{report.vector.value}, report.name, processor::storm_name(report.storm));
    }
}

/// The kernel's own vectors, before anybody asks for one, and the stack of second halves.
Result<void> begin_interrupts(Kernel& kernel, InterruptDescription const& description) {
    for (hal::Line const line : description.non_maskable_lines) {
        TRY(kernel.interrupts.reserve_line(line));
    }
    kernel.interrupts.open(kernel.cpus, report_storm, &kernel);
    TRY(kernel.interrupts.bind(
        hal::Clock::vector(),
        {.handler = take_deadline, .name = "deadlines", .may_come_often = true}));
    auto const calls = TRY(kernel.interrupts.bind_any(
        {.handler = take_call, .name = "calls", .may_come_often = true}));
    kernel.cpus.use_vector(calls);
    TRY(kernel.interrupts.tell_of_storms());
    return open_worker(kernel, this_cpu());
}

/// A table that is there and sound.
template<class Parse>
auto find_table(Kernel const& kernel, acpi::Signature signature, Parse const& parse)
    -> decltype(parse(acpi::TableBytes())) {
    if (!kernel.acpi_tables) {
        return Error::not_found;
    }
    return parse(TRY(kernel.acpi_tables->find(signature)));
}

hal::ClockPlan plan_clock(Kernel& kernel) {
    hal::ClockPlan plan;
    auto const hpet = find_table(kernel, acpi::hpet_signature, acpi::parse_hpet);
    if (hpet) {
        plan.hpet = show_registers(kernel, hpet.value().address, hpet_registers, "the HPET");
        plan.hpet_minimum_tick = hpet.value().minimum_tick;
    } else if (hpet.error() != Error::not_found) {
        kernel.log(LogLevel::warning, "the HPET is not used: its table is {}", hpet.error());
    }
    auto const fadt = find_table(kernel, acpi::fadt_signature, acpi::parse_fadt);
    if (fadt) {
        // A hardware-reduced machine promises no legacy device; where it has no other clock, that
        // there may be one is better than no time at all.
        plan.has_legacy_timer = !fadt.value().hardware_reduced || plan.hpet == VirtAddr{};
        plan.has_wall_clock = fadt.value().has_cmos_clock;
        plan.century_register = fadt.value().century_register;
    } else if (fadt.error() != Error::not_found) {
        kernel.log(LogLevel::warning, "legacy clocks are assumed: the FADT is {}", fadt.error());
    }
    return plan;
}

} // namespace

Result<void> open_interrupts(Kernel& kernel) {
    kernel.interrupt_description = describe_interrupts(kernel);
    InterruptDescription const& description = kernel.interrupt_description;
    if (description.left_out != 0) {
        kernel.log(
            LogLevel::warning, "{} entries of the table of interrupt controllers are not used",
            description.left_out);
    }
    hal::InterruptPlan const plan = make_plan(kernel, description);
    sync::InterruptGuard const off;
    if (auto const adopted = hal::Controller::adopt(plan); !adopted) {
        kernel.log(
            LogLevel::warning, "the kernel lives without interrupts: the controllers are {}",
            adopted.error());
        return {};
    }
    if (!kernel.topology.processors.empty()) {
        hal::Processors::adopt_boot_processor(kernel.topology.processors[0].hardware_id);
    }
    TRY(begin_interrupts(kernel, description));
    kernel.log(
        LogLevel::info, "interrupts by {}: {} vectors, {} lines", hal::Controller::kind(),
        hal::Controller::vectors().count, hal::Controller::lines());
    return {};
}

Result<void> open_clock(Kernel& kernel) {
    hal::ClockPlan const plan = plan_clock(kernel);
    {
        sync::InterruptGuard const off;
        if (auto const adopted = hal::Clock::adopt(plan); !adopted) {
            kernel.log(
                LogLevel::warning, "the kernel lives without time: the clocks are {}",
                adopted.error());
            return {};
        }
    }
    kernel.has_clock = true;
    this_cpu().online_since = hal::Clock::now();
    hal::ClockDescription const clock = hal::Clock::describe();
    kernel.log(
        LogLevel::info, "time by {} at {} Hz, measured against {} within {} ppm; deadlines by {}",
        clock.counter, clock.counter_hz, clock.reference, clock.error_ppm, clock.event);
    if (kernel.interrupts.is_open()) {
        this_cpu().timers.open(processor::machine_alarm);
    }
    return {};
}

Result<void> let_interrupts_through(Kernel& kernel) {
    if (kernel.interrupts.is_open()) {
        sync::enable_interrupts();
    }
    return {};
}

Result<void> open_worker(Kernel& kernel, PerCpu& cpu) {
    memory::KernelStack const stack =
        TRY(kernel.space->allocate_stack(kernel.boot_info.stack_size));
    processor::open_work(cpu, std::span(hal::kernel_pointer(stack.base), stack.size.value));
    return {};
}

} // namespace twofold::boot

extern "C" void kernel_interrupt(hal::Interruption const& interruption) {
    using namespace twofold;
    processor::dispatch(*static_cast<processor::CpuLocal*>(sync::cpu_state()), interruption);
}
