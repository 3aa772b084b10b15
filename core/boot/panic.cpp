// The panic path. It takes no lock, allocates nothing and trusts as little as it can: the stack is
// walked inside a guarded call, and a panic inside a panic prints its cause alone. On a screen the
// report is shown when the console has it, in a guarded call, too.
#include "core/boot/panic.hpp"

#include "core/boot/kernel.hpp"
#include "hal/clock.hpp"
#include "hal/console.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"
#include "hal/power.hpp"
#include "hal/processors.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

constexpr usize frames_max = 32;
constexpr usize events_shown = 12;
constexpr u32 edges_shown = 16;

/// How an address came onto the stack: a return address lies behind its call, and where that never
/// returns, behind its whole function.
enum class CodeAddress : u8 { interrupted = 0, returned_to = 1 };

/// Prints one address as "0x... name+offset".
void print_code_address(Output& out, Kernel const* kernel, u64 address, CodeAddress kind) {
    format_to(out, "  {:#018x}", address);
    if (kernel != nullptr && kernel->symbols) {
        u64 const behind = static_cast<u64>(kind);
        u64 const offset = address - behind - kernel->boot_info.image_base.value;
        if (auto const symbol = kernel->symbols->find(offset)) {
            format_to(out, "  {}+{:#x}", symbol->name, symbol->offset + behind);
        }
    }
    out.write("\n");
}

struct Walk {
    Output& out;
    Kernel const* kernel;
    hal::StackFrame frame;
};

/// Walks the frame-pointer chain. A broken chain faults, which ends the guarded call around it.
void walk_stack(void* argument) {
    auto& walk = *static_cast<Walk*>(argument);
    hal::StackFrame frame = walk.frame;
    for (usize depth = 0; depth < frames_max; ++depth) {
        auto const kind = depth == 0 ? CodeAddress::interrupted : CodeAddress::returned_to;
        print_code_address(walk.out, walk.kernel, frame.instruction, kind);
        auto const above = hal::Cpu::caller(frame);
        if (!above || above->frame_pointer <= frame.frame_pointer) {
            return;
        }
        frame = *above;
    }
    walk.out.write("  ... the stack is deeper\n");
}

void print_stack(Output& out, Kernel* kernel, hal::StackFrame frame) {
    out.write("stack:\n");
    Walk walk{out, kernel, frame};
    if (kernel == nullptr) {
        print_code_address(
            out, nullptr, frame.instruction,
            CodeAddress::interrupted); // nothing to recover with yet
    } else if (catch_fault([&walk] { walk_stack(&walk); })) {
        out.write("  ... the chain of frames ends in unreadable memory\n");
    }
}

void print_events(Output& out, Kernel const& kernel) {
    format_to(out, "last events ({} in all):\n", kernel.events.written());
    kernel.events.for_last(events_shown, [&](trace::Event const& event) {
        format_to(
            out, "  cycle {}  cpu {}  {}  {:#x} {:#x}\n", event.cycles, event.cpu.value,
            trace::event_name(event.kind), event.a, event.b);
    });
}

/// The edge registry of the processor that panics.
void print_edges(Output& out) {
    trace::FlightRing const& flight = this_cpu().flight;
    if (flight.written() == 0) {
        return;
    }
    u32 skip = std::min(flight.written(), trace::FlightRing::capacity);
    skip -= std::min(skip, edges_shown);
    format_to(out, "last edges ({} in all):\n", flight.written());
    flight.for_each([&](trace::FlightRecord const& record) {
        if (skip > 0) {
            --skip;
            return;
        }
        format_to(
            out, "  tick {}  {}  {}:{}\n", record.tick, trace::edge_name(record.edge),
            trace::edge_file_name(record.file), record.line);
    });
}

/// The others are stopped: nobody changes the list.
void print_commands(Output& out, Kernel const& kernel) {
    std::string_view const verb = kernel.boot_info.machine == "metal" ? "boot" : "run";
    for (RunningCommand const& command : kernel.running.all) {
        format_to(out, "reproduce: ./twofold {} --command '{}'\n", verb, command.text());
    }
}

void print_reproduction(Output& out, Kernel const& kernel) {
    format_to(
        out, "machine: {}, image {}, version {}, entered by {}\n", kernel.boot_info.machine,
        kernel.parts.image, TWOFOLD_VERSION, kernel.boot_info.protocol);
    format_to(out, "kernel command line: {}\n", kernel.boot_info.command_line);
    print_commands(out, kernel);
}

constexpr u32 stop_looks = 1u << 20;
constexpr Nanos stop_wait{200'000'000};

/// Stops the other processors, so that they neither write between the lines of the report nor
/// change what it shows. One that does not answer goes on: the report does not wait for it.
void stop_others(Kernel& kernel) {
    if (kernel.cpus.online() <= 1) {
        return;
    }
    for (u32 id = 0; id < kernel.cpus.known(); ++id) {
        PerCpu& other = kernel.cpu({id});
        if (&other == &this_cpu() || other.is_online.load(acquire) == 0) {
            continue;
        }
        if (!hal::Controller::send_non_maskable(other.id)) {
            kernel.cpus.stop(other, [](void*) { stop_here(); });
        }
    }
    Nanos const began = hal::Clock::now();
    for (u32 looks = 0; looks < stop_looks && kernel.cpus.online() > 1; ++looks) {
        hal::Cpu::pause();
        if (hal::Clock::now() - began > stop_wait) {
            break;
        }
    }
}

/// The report goes to the console, and to the kernel's outlet for it.
Output report_output(Kernel* kernel) {
    return {kernel, [](void* of, std::string_view text) {
                hal::Console::write(text);
                if (of != nullptr) {
                    auto const* const outlet = static_cast<Kernel*>(of)->panic_outlet.load(acquire);
                    if (outlet != nullptr) {
                        outlet->note(outlet->context, text);
                    }
                }
            }};
}

/// Shows the report, at most once: what goes wrong meanwhile is not shown there.
void show_report(Kernel& kernel) {
    PanicOutlet const* const outlet = kernel.panic_outlet.exchange(nullptr, acquire_release);
    if (outlet != nullptr) {
        static_cast<void>(catch_fault([outlet] { outlet->show(outlet->context); }));
    }
}

/// Devices that have drivers reach no memory any more.
void stop_devices(Kernel& kernel) {
    if (auto* const stop = kernel.stop_devices.exchange(nullptr, acquire_release)) {
        static_cast<void>(catch_fault([&] { stop(kernel); }));
    }
}

/// Marks this processor as panicking, and the only one to do so; a second panic on it prints
/// `cause` and ends at once.
void enter_panic(Output& out, Kernel* kernel, std::string_view cause) {
    hal::Interrupt::disable();
    if (kernel == nullptr) {
        format_to(out, "\nKERNEL PANIC: {}\n", cause);
        return;
    }
    PerCpu& cpu = this_cpu();
    if (cpu.in_panic) {
        format_to(out, "\npanic inside the panic: {}\n", cause);
        show_report(*kernel);
        hal::Power::exit(status::panic);
    }
    cpu.in_panic = true;
    cpu.recovery = nullptr;
    u32 owner = Kernel::nobody;
    if (!kernel->panicking.compare_exchange(owner, cpu.id.value, acquire_release, acquire)) {
        stop_here(); // another processor's report is on its way
    }
    stop_others(*kernel);
    format_to(out, "\nKERNEL PANIC: {}\n", cause);
    if (kernel->cpus.known() > 1 || cpu.context != sync::ExecutionContext::thread) {
        format_to(
            out, "on processor {} in context {}, {} others not stopped\n", cpu.id,
            sync::execution_context_name(cpu.context), kernel->cpus.online() - 1);
    }
}

[[noreturn]] void
finish(Output& out, Kernel* kernel, hal::StackFrame frame, std::string_view cause) {
    print_stack(out, kernel, frame);
    if (kernel != nullptr) {
        print_events(out, *kernel);
        print_edges(out);
        print_reproduction(out, *kernel);
        show_report(*kernel);
    }
    if (kernel != nullptr) {
        stop_devices(*kernel);
    }
    trace::Record record(trace::RecordType::panic);
    hal::Console::write_result(record.text(cause).finish());
    trace::Record exit(trace::RecordType::exit);
    hal::Console::write_result(exit.integer(status::panic).finish());
    hal::Power::exit(status::panic);
}

std::string_view describe_access(hal::PageFaultCause const& cause) {
    return cause.execute ? "execution of" : cause.write ? "write to" : "read from";
}

} // namespace

void stop_here() {
    hal::Interrupt::disable();
    PerCpu& cpu = this_cpu();
    cpu.kernel->cpus.set_offline(cpu);
    hal::Processors::halt();
}

void panic(std::string_view cause) {
    Kernel* const kernel = try_current_kernel();
    Output out = report_output(kernel);
    enter_panic(out, kernel, cause);
    finish(out, kernel, hal::Cpu::current_frame(), cause);
}

void panic_on_fault(hal::Fault const& fault) {
    Kernel* const kernel = try_current_kernel();
    Output out = report_output(kernel);
    char text[160];
    std::string_view cause = fault.name;
    if (fault.kind == hal::FaultKind::page) {
        cause = format_to(
            std::span(text), "{}: {} {} at {}", fault.name, describe_access(fault.cause),
            fault.cause.present ? "a protected page" : "an unmapped page", fault.address);
    }
    enter_panic(out, kernel, cause);
    if (kernel != nullptr) {
        kernel->event(
            trace::EventKind::fault_fatal, fault.address.value, static_cast<u64>(fault.kind));
    }
    format_to(out, "error code {:#x}", fault.code);
    if (fault.kind == hal::FaultKind::page) {
        format_to(
            out, " ({}{}{}{}{})", fault.cause.present ? "present" : "not present",
            fault.cause.write ? ", write" : ", read", fault.cause.execute ? ", execute" : "",
            fault.cause.user ? ", user" : ", supervisor",
            fault.cause.reserved ? ", reserved bit" : "");
    }
    format_to(out, ", stack pointer {:#018x}\nregisters:", fault.stack_pointer);
    usize column = 0;
    for (hal::NamedRegister const& reg : fault.registers) {
        format_to(out, "{}{:>6} {:#018x}", column % 3 == 0 ? "\n " : "  ", reg.name, reg.value);
        ++column;
    }
    out.write("\n");
    finish(out, kernel, fault.frame, cause);
}

} // namespace twofold::boot

void twofold::check_failed(char const* expression, std::source_location where) {
    char text[320];
    boot::panic(format_to(
        std::span(text), "check failed: {} at {}:{} in {}", expression, where.file_name(),
        where.line(), where.function_name()));
}
