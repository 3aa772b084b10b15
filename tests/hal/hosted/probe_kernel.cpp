// The kernel's side of the probe: see probe.hpp. Compiled as kernel code.
#include "hal/clock.hpp"
#include "hal/console.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"
#include "hal/processors.hpp"
#include "tests/hal/hosted/probe.hpp"

namespace hosted::test {

namespace {

/// The one word of the command line: the address of the probe.
Probe& probe_of(std::string_view command_line) {
    u64 address = 0;
    for (char const letter : command_line) {
        address = address * 10 + static_cast<u64>(letter - '0');
    }
    return *reinterpret_cast<Probe*>(address);
}

u64* entry_at(u64 table, u64 address, unsigned level) {
    return reinterpret_cast<u64*>(hal::Memory::linear({table})) + hal::Mmu::index({address}, level);
}

} // namespace

u64 Probe::take_frame() {
    CHECK(next_frame < end_of_frames);
    u64 const frame = next_frame;
    next_frame += page_size.value;
    return frame;
}

void Probe::set_entry(u64 virtual_address, u64 entry, unsigned leaf_level) {
    u64 table = hal::Mmu::root().value;
    for (unsigned level = hal::Mmu::levels - 1; level > leaf_level; --level) {
        u64* const word = entry_at(table, virtual_address, level);
        if (!hal::Mmu::is_present(*word)) {
            u64 const fresh = take_frame();
            __builtin_memset(hal::Memory::linear({fresh}), 0, page_size.value);
            *word = hal::Mmu::encode_table({fresh});
        }
        table = hal::Mmu::decode_table(*word).value;
    }
    *entry_at(table, virtual_address, leaf_level) = entry;
}

void Probe::map(u64 virtual_address, u64 frame, hal::Access access, unsigned level, bool global) {
    hal::PageMapping const mapping{
        {frame}, access | hal::Access::read, hal::CacheMode::write_back, global};
    set_entry(virtual_address, hal::Mmu::encode_leaf(mapping, level), level);
}

void Probe::open_interrupts() {
    CHECK(hal::Controller::adopt(hal::InterruptPlan()).has_value());
    CHECK(hal::Clock::adopt(hal::ClockPlan()).has_value());
    hal::Processors::adopt_boot_processor(0);
    hal::Interrupt::restore(hal::InterruptState::enabled);
}

Result<void> Probe::start_processor(u32 id, hal::BootInfo const& info) {
    constexpr u64 stack_bytes = u64{64} << 10;
    u64 const exception_bytes = hal::Processors::exception_stack_bytes().value;
    u64 const base = info.stack_base.value + (u64{16} << 20) + id * (u64{1} << 20);
    auto const map_stack = [&](u64 bottom, u64 size) {
        for (u64 offset = 0; offset < size; offset += page_size.value) {
            map(bottom + offset, take_frame(), hal::Access::write);
        }
        return std::span(reinterpret_cast<std::byte*>(bottom), size);
    };
    hal::ProcessorStart start{
        .id = {id},
        .hardware_id = id,
        .stack = map_stack(base, stack_bytes),
        .exception_stacks = {},
        .area = {},
        .low = {},
        .per_cpu = hal::Cpu::per_cpu()};
    start.exception_stacks[0] = map_stack(base + 2 * stack_bytes, exception_bytes);
    return hal::Processors::start(start);
}

bool Probe::guarded(void (*function)(void*), void* function_argument) {
    hal::RecoveryPoint here{};
    hal::RecoveryPoint* const before = point;
    point = &here;
    bool const returned = hal::Cpu::guarded_call(here, function, function_argument);
    point = before;
    return returned;
}

void switch_stacks(hal::Context& from, hal::Context& to) {
    hal::Context::switch_between(from, to);
}

} // namespace hosted::test

extern "C" void kernel_start(hal::BootInfo const& info) {
    using hosted::test::Probe;
    Probe& probe = hosted::test::probe_of(info.command_line);
    hal::Cpu::set_per_cpu(&probe);
    for (hal::MemoryRange const& range : info.memory) {
        if (range.kind == hal::MemoryKind::usable && range.base.value >= 0x10'0000) {
            probe.next_frame = range.base.value;
            probe.end_of_frames = range.base.value + range.size.value;
        }
    }
    probe.body(probe, info);
    hal::Power::exit(0);
}

extern "C" hal::FaultAction kernel_fault(hal::Fault const& fault) {
    auto& probe = *static_cast<hosted::test::Probe*>(hal::Cpu::per_cpu());
    ++probe.faults;
    probe.kind = fault.kind;
    probe.cause = fault.cause;
    probe.code = fault.code;
    probe.address = fault.address.value;
    probe.instruction = fault.frame.instruction;
    probe.stack_pointer = fault.stack_pointer;
    for (twofold::usize i = 0; i < fault.name.size() && i + 1 < sizeof(probe.name); ++i) {
        probe.name[i] = fault.name[i];
        probe.name[i + 1] = '\0';
    }
    if (probe.on_fault != nullptr) {
        return probe.on_fault(probe, fault);
    }
    if (probe.point == nullptr) {
        hal::Power::exit(70);
    }
    return {hal::FaultAction::Kind::recover, probe.point};
}

extern "C" void kernel_interrupt(hal::Interruption const& interruption) {
    auto& probe = *static_cast<hosted::test::Probe*>(hal::Cpu::per_cpu());
    if (probe.on_interrupt != nullptr) {
        probe.on_interrupt(probe, interruption);
        return;
    }
    ++probe.interrupts;
    hal::Controller::acknowledge(interruption.vector);
}

extern "C" void kernel_processor_online() {
    auto& probe = *static_cast<hosted::test::Probe*>(hal::Cpu::per_cpu());
    probe.on_processor(probe);
    hal::Processors::halt();
}
