// See processors.hpp.
#include "core/boot/processors.hpp"

#include "core/boot/interrupts.hpp"
#include "core/boot/kernel.hpp"
#include "hal/clock.hpp"
#include "hal/cpu.hpp"
#include "hal/layout.hpp"
#include "hal/memory.hpp"
#include "hal/mmu.hpp"
#include "hal/processors.hpp"
#include "hal/upcalls.hpp"

#include <algorithm>
#include <memory>

namespace twofold::boot {

namespace {

using trace::LogLevel;

/// From the machine's word that a processor has started to the processor's own first sign.
constexpr Nanos online_wait{2'000'000'000};

/// Whole pages from the allocator of frames, zeroed; in the linear window.
Result<std::span<std::byte>> allocate_pages(Kernel& kernel, Bytes size) {
    Bytes const whole = align_up(size, page_size);
    PhysAddr const place = TRY(kernel.frames->allocate(
        {.pages = whole / page_size, .content = memory::FrameContent::zeroed}));
    return std::span(hal::Memory::linear(place), whole.value);
}

Result<std::span<std::byte>> allocate_stack(Kernel& kernel, Bytes size) {
    memory::KernelStack const stack = TRY(kernel.space->allocate_stack(size));
    return std::span(hal::kernel_pointer(stack.base), stack.size.value);
}

Result<PerCpu*> make_state(Kernel& kernel, CpuId id) {
    auto const room = TRY(allocate_pages(kernel, {sizeof(PerCpu)}));
    auto* const cpu = std::construct_at(room_for<PerCpu>(room.data()));
    cpu->kernel = &kernel;
    cpu->id = id;
    cpu->interrupts = &kernel.interrupts.table();
    cpu->lines = &kernel.interrupts;
    kernel.cpus.add(*cpu);
    return cpu;
}

/// What the machine keeps for as long as the processor runs; lost where it does not start, since it
/// may still come to life.
Result<hal::ProcessorStart> prepare_start(Kernel& kernel, PerCpu& cpu) {
    hal::ProcessorStart start{
        .id = cpu.id,
        .hardware_id = kernel.topology.processors[cpu.id.value].hardware_id,
        .stack = TRY(allocate_stack(kernel, kernel.boot_info.stack_size)),
        .exception_stacks = {},
        .area = {},
        .low = kernel.start_memory,
        .per_cpu = static_cast<sync::CpuState*>(&cpu)};
    CHECK(hal::Processors::exception_stack_count() <= hal::ProcessorStart::exception_stacks_max);
    for (u32 i = 0; i < hal::Processors::exception_stack_count(); ++i) {
        start.exception_stacks[i] =
            TRY(allocate_stack(kernel, hal::Processors::exception_stack_bytes()));
    }
    if (hal::Processors::area_bytes().value != 0) {
        start.area = TRY(allocate_pages(kernel, hal::Processors::area_bytes()));
    }
    TRY(open_worker(kernel, cpu));
    return start;
}

/// Both processors read the clock; true where they agree.
void compare_clocks(Kernel& kernel, PerCpu& cpu) {
    processor::ClockSkewTest test(2);
    auto const take_part = [](void* shared) {
        static_cast<processor::ClockSkewTest*>(shared)->take_part(hal::Clock::now, sync::relax);
    };
    {
        sync::InterruptGuard const off;
        kernel.cpus.post(cpu.id, take_part, &test).value(); // it is online and has no other call
        take_part(&test);
    }
    while (!test.is_over()) {
        sync::relax(); // the other is in its last rounds
    }
    kernel.clock_skew = std::max(kernel.clock_skew, test.worst());
    if (test.warps() != 0) {
        bool const has_other = hal::Clock::distrust_counter();
        kernel.log(
            LogLevel::warning, "the clock of processor {} lags by up to {}; {}", cpu.id,
            test.worst(), has_other ? "a common one is used" : "there is no other");
    }
}

Result<void> start_processor(Kernel& kernel, PerCpu& cpu) {
    hal::ProcessorStart const start = TRY(prepare_start(kernel, cpu));
    TRY(hal::Processors::start(start));
    Nanos const began = hal::Clock::now();
    while (!kernel.cpus.is_online(cpu.id)) {
        sync::relax();
        if (hal::Clock::now() - began > online_wait) {
            return Error::timed_out;
        }
    }
    compare_clocks(kernel, cpu);
    return {};
}

/// What stands in the way of other processors; empty if nothing.
std::string_view obstacle(Kernel const& kernel) {
    if (!kernel.interrupts.is_open()) {
        return "there are no interrupts";
    }
    if (!kernel.has_clock) {
        return "there is no time";
    }
    bool const needs_low = hal::Processors::low_bytes().value != 0;
    return needs_low && kernel.start_memory == PhysAddr{} ? "there is no memory below 1 MiB" : "";
}

/// Translations that this processor may have cached before others knew that it caches any.
void drop_translations() {
    hal::KernelLayout const layout = hal::Layout::current();
    for (hal::Window const& window : {layout.heap, layout.stacks, layout.views}) {
        hal::Mmu::flush(window.base, window.size);
    }
}

} // namespace

Result<void> start_processors(Kernel& kernel) {
    u32 const count = kernel.topology.count();
    this_cpu().core_class = hal::Processors::core_class();
    this_cpu().features = hal::Cpu::describe().features;
    if (count == 1) {
        return {};
    }
    if (auto const problem = obstacle(kernel); !problem.empty()) {
        kernel.log(LogLevel::warning, "{} processors are not started: {}", count - 1, problem);
        return {};
    }
    kernel.shared_frames->use_remote_flush(&kernel.remote_flush);
    for (u32 id = 1; id < count; ++id) {
        auto const cpu = make_state(kernel, {id});
        if (!cpu) {
            kernel.log(
                LogLevel::error, "{} processors are not started: {}", count - id, cpu.error());
            break;
        }
        if (auto const started = start_processor(kernel, *cpu.value()); !started) {
            cpu.value()->start_error = started.error();
            kernel.log(
                LogLevel::error, "processor {} (hardware id {}) does not run: {}", CpuId{id},
                kernel.topology.processors[id].hardware_id, started.error());
        }
    }
    kernel.log(
        LogLevel::info, "{} of {} processors run; their clocks differ by {} at most",
        kernel.cpus.online(), count, kernel.clock_skew);
    return {};
}

void run_idle(PerCpu& cpu) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    while (true) { // for as long as the processor runs
        if (cpu.runner != nullptr) {
            cpu.runner->find_work(cpu);
        }
        if (!cpu.jobs.has_calls()) {
            processor::idle(cpu); // what comes from here on ends the sleep
            continue;
        }
        sync::enable_interrupts();
        cpu.jobs.run();
        sync::disable_interrupts();
    }
}

} // namespace twofold::boot

extern "C" void kernel_processor_online() {
    using namespace twofold;
    boot::PerCpu& cpu = boot::this_cpu();
    CHECK(cpu.id == hal::Cpu::id());
    cpu.core_class = hal::Processors::core_class();
    cpu.features = hal::Cpu::describe().features;
    cpu.timers.open(processor::machine_alarm);
    cpu.kernel->cpus.set_online(cpu);
    boot::drop_translations();
    boot::run_idle(cpu);
}
