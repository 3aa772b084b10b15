// See threads.hpp.
#include "core/boot/threads.hpp"

#include "core/boot/kernel.hpp"
#include "core/boot/processors.hpp"
#include "core/task/task.hpp"
#include "hal/memory.hpp"

namespace twofold::boot {

namespace {

/// What an efficient processor does in the time in which a performant one does 1024.
constexpr u16 efficient_capacity = 512;

Result<std::span<std::byte>> take_pages(void* kernel, Bytes size) {
    Bytes const whole = align_up(size, page_size);
    PhysAddr const place = TRY(static_cast<Kernel*>(kernel)->frames->allocate(
        {.pages = whole / page_size, .content = memory::FrameContent::zeroed}));
    return std::span(hal::Memory::linear(place), whole.value);
}

sched::CpuPlace place_of(void* object, CpuId cpu) {
    auto const& kernel = *static_cast<Kernel*>(object);
    auto const& known = kernel.topology.processors;
    bool const is_efficient = kernel.cpu(cpu).core_class == hal::CoreClass::efficiency;
    return {
        .node = static_cast<u16>(known.empty() ? 0 : known[cpu.value].node),
        .capacity = is_efficient ? efficient_capacity : sched::CpuPlace::capacity_full};
}

} // namespace

bool CommandContext::is_interrupted() const {
    return kernel.threads != nullptr && task::Threads::current().is_to_end();
}

Result<void> open_threads(Kernel& kernel) {
    auto const threads = task::Threads::begin(
        {.cpus = kernel.cpus,
         .interrupts = kernel.interrupts,
         .heap = *kernel.heap,
         .space = *kernel.space,
         .idle = [](processor::CpuLocal& cpu) { run_idle(static_cast<PerCpu&>(cpu)); },
         .take_pages = take_pages,
         .place_of = place_of,
         .report =
             [](void* object, std::string_view text) {
                 if (!text.empty()) {
                     static_cast<Kernel*>(object)->log(trace::LogLevel::error, "{}", text);
                 }
             },
         .object = &kernel});
    if (!threads && threads.error() == Error::not_supported) {
        kernel.log(
            trace::LogLevel::warning,
            "there are no threads: without interrupts and time nobody could wait");
        return {};
    }
    kernel.threads = TRY(threads);
    return {};
}

} // namespace twofold::boot
