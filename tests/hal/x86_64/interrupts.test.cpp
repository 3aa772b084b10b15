// Interrupts on the metal machine: the entries that every vector has, what the machine keeps for
// itself, and non-maskable interrupts.
#include "core/boot/boot.hpp"
#include "core/processor/processor.hpp"
#include "hal/clock.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"
#include "tests/support/test.hpp"

namespace {

using namespace twofold;
using hal::FaultKind;

u64 taken(unsigned vector) {
    return processor::this_cpu().counts[vector].taken;
}

/// All that a C++ function may change, before and after an interrupt.
struct Registers {
    u64 values[9];
    bool operator==(Registers const&) const = default;
};

/// Fills the registers from `in`, raises vector 0x80 by an instruction, and reads them again.
Registers interrupted_with(Registers const& in) {
    Registers out{};
    asm volatile("movq 0(%[in]), %%rax\n\t"
                 "movq 8(%[in]), %%rcx\n\t"
                 "movq 16(%[in]), %%rdx\n\t"
                 "movq 24(%[in]), %%rsi\n\t"
                 "movq 32(%[in]), %%rdi\n\t"
                 "movq 40(%[in]), %%r8\n\t"
                 "movq 48(%[in]), %%r9\n\t"
                 "movq 56(%[in]), %%r10\n\t"
                 "movq 64(%[in]), %%r11\n\t"
                 "int $0x80\n\t"
                 "movq %%rax, 0(%[out])\n\t"
                 "movq %%rcx, 8(%[out])\n\t"
                 "movq %%rdx, 16(%[out])\n\t"
                 "movq %%rsi, 24(%[out])\n\t"
                 "movq %%rdi, 32(%[out])\n\t"
                 "movq %%r8, 40(%[out])\n\t"
                 "movq %%r9, 48(%[out])\n\t"
                 "movq %%r10, 56(%[out])\n\t"
                 "movq %%r11, 64(%[out])"
                 :
                 : [in] "b"(&in), [out] "r"(&out)
                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    return out;
}

/// Whether the pages that `stack_end` ends are there and the one below `bytes` of them is not.
bool has_guard(u64 stack_end, u64 bytes) {
    PhysAddr const root = hal::Mmu::root();
    return hal::Mmu::view(root, {stack_end - 1}) != nullptr &&
           hal::Mmu::view(root, {stack_end - bytes}) != nullptr &&
           hal::Mmu::view(root, {stack_end - bytes - 1}) == nullptr;
}

} // namespace

TEST(MetalInterrupts, EveryVectorOfTheKernelsHasItsOwnEntry) {
    u64 const before[] = {taken(0x20), taken(0x30), taken(0x80), taken(0xff)};
    asm volatile("int $0x20\n\tint $0x30\n\tint $0x80\n\tint $0xff" : : : "memory");
    EXPECT_EQ(taken(0x20), before[0] + 1);
    EXPECT_EQ(taken(0x30), before[1] + 1);
    EXPECT_EQ(taken(0x80), before[2] + 1);
    EXPECT_EQ(taken(0xff), before[3] + 1);
}

TEST(MetalInterrupts, RegistersSurvive) {
    Registers const in{{0x1111'2222'3333'4444, 2, ~u64{0}, 4, 5, 0x8000'0000'0000'0000, 7, 8, 9}};
    EXPECT_TRUE(interrupted_with(in) == in);
}

TEST(MetalInterrupts, SpuriousLegacyInterruptsAreForgotten) {
    u64 const before[] = {taken(0x27), taken(0x2f)};
    asm volatile("int $0x27\n\tint $0x2f" : : : "memory");
    EXPECT_EQ(taken(0x27), before[0]);
    EXPECT_EQ(taken(0x2f), before[1]);
}

TEST(MetalInterrupts, ADeadlineThatNobodyArmedIsForgotten) {
    hal::InterruptState const outer = hal::Interrupt::disable();
    i64 const armed = metal::this_processor().deadline_ns.load(relaxed);
    u64 const before = taken(hal::Clock::vector().value);
    hal::Clock::arm({metal::CpuBlock::never - 1});
    asm volatile("int $0xfb" : : : "memory");
    EXPECT_EQ(taken(hal::Clock::vector().value), before);
    hal::Clock::arm({armed});
    hal::Interrupt::restore(outer);
}

TEST(MetalInterrupts, ErrorsOfTheLocalControllerAreKept) {
    hal::InterruptState const outer = hal::Interrupt::disable();
    metal::CpuBlock& self = metal::this_processor();
    u32 const before = self.local_errors;
    asm volatile("int $0xfe" : : : "memory"); // finds none
    EXPECT_EQ(self.local_errors, before);
    hal::Interrupt::restore(outer);
}

TEST(MetalInterrupts, NonMaskableOnItsOwnStack) {
    u64 stack = 0;
    auto const fault = boot::catch_fault([&stack] {
        asm volatile("movq %%rsp, %0\n\tint $2" : "=m"(stack) : : "memory");
    });
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::non_maskable);
}

TEST(MetalInterrupts, NonMaskableByTheController) {
    CpuId const self = hal::Cpu::id();
    auto const fault = boot::catch_fault([self] {
        static_cast<void>(hal::Controller::send_non_maskable(self));
        for (unsigned i = 0; i < 1'000'000; ++i) {
            hal::Cpu::pause();
        }
    });
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::non_maskable);
}

TEST(MetalInterrupts, ExceptionStacksOfEveryProcessorHaveGuards) {
    constexpr u64 bytes = 16384;
    unsigned processors = 0;
    for (u32 id = 0; id < metal::ProcessorTable::count_max; ++id) {
        metal::CpuBlock const* const block = metal::find_processor({id});
        if (block == nullptr) {
            continue;
        }
        ++processors;
        for (usize i = 0; i < metal::interrupt_stack::count; ++i) {
            EXPECT_TRUE(has_guard(block->task_state.interrupt_stacks[i], bytes));
        }
    }
    EXPECT_GE(processors, 1u);
    EXPECT_LE(processors, hal::Cpu::count());
}
