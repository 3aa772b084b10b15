// What every processor of the metal machine is set to: the registers that protect the kernel, and
// what threads may own later.
#include "core/boot/boot.hpp"
#include "core/processor/processor.hpp"
#include "hal/conformance/interrupt_support.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "isa/cpuid.hpp"
#include "isa/extended_state.hpp"
#include "isa/page_entry.hpp"
#include "tests/support/test.hpp"

namespace {

using namespace twofold;

constexpr u32 extended_features = 0xc000'0080; // EFER

struct ControlRegisters {
    u64 cr0 = 0, cr4 = 0, features = 0, page_attributes = 0, extended_state = 0, root = 0;
    bool operator==(ControlRegisters const&) const = default;
};

ControlRegisters read_control_registers() {
    u64 const cr4 = metal::read_cr4();
    return {
        .cr0 = metal::read_cr0(),
        .cr4 = cr4,
        .features = metal::read_msr(extended_features),
        .page_attributes = metal::read_msr(isa::PageEntry::page_attribute_table_msr),
        .extended_state = (cr4 & metal::cr4::xsave) != 0 ? metal::read_extended_control() : 0,
        .root = metal::read_cr3()};
}

u64 bit_if(bool condition, u64 bit) {
    return condition ? bit : 0;
}

} // namespace

TEST(ControlRegisters, ProtectTheKernelAsFarAsTheProcessorCan) {
    using isa::Feature;
    hal::CpuDescription const cpu = hal::Cpu::describe();
    ControlRegisters const registers = read_control_registers();
    constexpr u64 paging = u64{1} << 31, write_protect = u64{1} << 16;
    constexpr u64 no_execute = u64{1} << 11;
    EXPECT_EQ(registers.cr0 & (paging | write_protect), paging | write_protect);
    EXPECT_EQ(registers.features & no_execute, no_execute);
    EXPECT_EQ(registers.page_attributes, isa::PageEntry::page_attribute_table);
    u64 const wanted = metal::cr4::global_pages |
                       bit_if(has(cpu, Feature::smep), metal::cr4::smep) |
                       bit_if(has(cpu, Feature::smap), metal::cr4::smap) |
                       bit_if(has(cpu, Feature::umip), metal::cr4::umip);
    EXPECT_EQ(registers.cr4 & wanted, wanted);
}

TEST(ControlRegisters, LetThreadsOwnVectorStateAndTheKernelNone) {
    using isa::Feature;
    hal::CpuDescription const cpu = hal::Cpu::describe();
    ControlRegisters const registers = read_control_registers();
    constexpr u64 task_switched = u64{1} << 3, emulation = u64{1} << 2;
    EXPECT_EQ(registers.cr0 & (task_switched | emulation), task_switched);
    u64 const wanted = bit_if(has(cpu, Feature::fxsr), metal::cr4::fxsave) |
                       bit_if(has(cpu, Feature::sse), metal::cr4::vector_exceptions) |
                       bit_if(has(cpu, Feature::xsave), metal::cr4::xsave);
    EXPECT_EQ(registers.cr4 & wanted, wanted);
    if (has(cpu, Feature::xsave)) {
        EXPECT_EQ(registers.extended_state, isa::extended_state_to_enable(isa::cpuid(0xd, 0)));
        EXPECT_EQ((registers.extended_state & isa::state_bit::avx) != 0, has(cpu, Feature::avx));
    }
}

TEST(ControlRegisters, AreTheSameOnEveryProcessor) {
    ControlRegisters const here = read_control_registers();
    conformance::for_each_other([&here](CpuId cpu) {
        ControlRegisters there;
        auto const read = [](void* to) {
            *static_cast<ControlRegisters*>(to) = read_control_registers();
        };
        ASSERT_TRUE(boot::current_kernel().cpus.call(cpu, read, &there).has_value());
        EXPECT_TRUE(there == here);
    });
}

TEST(CpuBlocks, EveryProcessorHasItsOwn) {
    u64 canaries = 0;
    for (u32 id = 0; id < metal::ProcessorTable::count_max; ++id) {
        metal::CpuBlock const* const block = metal::find_processor({id});
        if (block == nullptr) {
            continue;
        }
        EXPECT_EQ(block->self, block);
        EXPECT_EQ(block->number, id);
        EXPECT_NE(block->canary, 0u);
        EXPECT_EQ(block->canary & 0xff, 0u); // ends a text
        EXPECT_NE(block->canary, canaries);
        EXPECT_EQ(block->local_errors, 0u);
        canaries = block->canary;
    }
}
