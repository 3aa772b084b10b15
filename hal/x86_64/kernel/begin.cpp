// What every processor does first in the kernel image, the boot processor and those that it starts:
// its own block, descriptor tables, canary and features.
#include "hal/entropy.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "isa/cpuid.hpp"
#include "isa/extended_state.hpp"
#include "isa/page_entry.hpp"

namespace metal {

namespace {

u64 random_canary() {
    u64 canary = 0;
    hal::Entropy::fill(std::as_writable_bytes(std::span{&canary, 1}));
    // A zero in its lowest byte stops a text copied over it.
    return canary & ~u64{0xff};
}

/// Switches on what protects the kernel, and lets threads own vector state later. The kernel itself
/// uses none: CR0.TS stays set, so that an instruction that would faults.
void enable_features(hal::CpuDescription const& cpu) {
    using isa::Feature;
    u64 bits = read_cr4() | cr4::global_pages;
    bits |= has(cpu, Feature::smep) ? cr4::smep : 0;
    bits |= has(cpu, Feature::smap) ? cr4::smap : 0;
    bits |= has(cpu, Feature::umip) ? cr4::umip : 0;
    bits |= has(cpu, Feature::fxsr) ? cr4::fxsave : 0;
    bits |= has(cpu, Feature::sse) ? cr4::vector_exceptions : 0;
    bits |= has(cpu, Feature::xsave) ? cr4::xsave : 0;
    write_msr(isa::PageEntry::page_attribute_table_msr, isa::PageEntry::page_attribute_table);
    write_cr4(bits);
    if (has(cpu, Feature::xsave)) {
        write_extended_control(isa::extended_state_to_enable(isa::cpuid(0xd, 0)));
    }
}

} // namespace

void load_cpu_block(CpuBlock& processor) {
    processor.self = &processor;
    write_msr(msr::gs_base, reinterpret_cast<u64>(&processor));
}

[[gnu::no_stack_protector]] void begin_processor(CpuBlock& processor) {
    load_cpu_block(processor); // first: the canary lies there
    load_descriptors(processor);
    // One for all: a thread that came over here finds in its frames what it has left there.
    CpuBlock const& boot = machine().boot_processor;
    processor.canary = &processor == &boot ? random_canary() : boot.canary;
    hal::CpuDescription const cpu = isa::decode(isa::read_cpuid());
    processor.has_clzero = has(cpu, isa::Feature::clzero) ? 1 : 0;
    enable_features(cpu);
    prepare_counters(processor);
}

} // namespace metal
