// Exceptions on the metal machine: each that can be provoked arrives decoded, and can be recovered
// from.
#include "core/boot/boot.hpp"
#include "hal/extended_state.hpp"
#include "hal/memory.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "tests/support/test.hpp"

namespace {

using namespace twofold;
using hal::FaultKind;

template<class Function>
void expect_fault(Function function, FaultKind kind) {
    auto const fault = boot::catch_fault(function);
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, kind);
    hal::BootInfo const& info = metal::machine().handover->info;
    EXPECT_LT(fault->instruction - info.image_base.value, info.image_size.value);
}

} // namespace

TEST(Exceptions, InvalidOpcode) {
    expect_fault([] { asm volatile("ud2"); }, FaultKind::invalid_instruction);
}

TEST(Exceptions, DivideError) {
    expect_fault(
        [] {
            u32 quotient = 1, remainder = 0;
            asm volatile("divl %2" : "+a"(quotient), "+d"(remainder) : "r"(u32{0}));
        },
        FaultKind::divide);
}

TEST(Exceptions, Breakpoint) {
    expect_fault([] { asm volatile("int3"); }, FaultKind::breakpoint);
}

TEST(Exceptions, DebugExceptionByTheTrapFlag) {
    expect_fault(
        [] {
            asm volatile("pushfq\n\t"
                         "orq $0x100, (%%rsp)\n\t"
                         "popfq\n\t"
                         "nop"
                         :
                         :
                         : "memory", "cc");
        },
        FaultKind::debug);
    u64 flags;
    asm volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    EXPECT_EQ(flags & 0x100, 0u); // the recovery ended the single steps
}

TEST(Exceptions, GeneralProtectionOnANonCanonicalAddress) {
    expect_fault(
        [] {
            asm volatile("movb $0, (%0)" : : "r"(u64{1} << 63) : "memory");
        },
        FaultKind::protection);
}

TEST(Exceptions, StackSegmentFaultOnANonCanonicalAddress) {
    // What rbp addresses lies in the stack segment.
    expect_fault(
        [] {
            asm volatile("movq %%rbp, %%rbx\n\t"
                         "movq %0, %%rbp\n\t"
                         "movb $0, (%%rbp)\n\t"
                         "movq %%rbx, %%rbp"
                         :
                         : "r"(u64{1} << 63)
                         : "rbx", "memory");
        },
        FaultKind::protection);
}

TEST(Exceptions, VectorInstructionsFault) {
    expect_fault([] { asm volatile("xorps %xmm0, %xmm0"); }, FaultKind::other);
}

TEST(Exceptions, VectorInstructionsFaultOnceTheirOwnerIsLeft) {
    auto const frame = boot::current_kernel().frames->allocate(0);
    ASSERT_TRUE(frame.has_value());
    std::span const area{hal::Memory::linear(frame.value()), page_size.value};
    sync::InterruptGuard const guard;
    hal::ExtendedState::prepare(area);
    hal::ExtendedState::restore(area);
    EXPECT_FALSE(boot::catch_fault([] { asm volatile("xorps %xmm0, %xmm0"); }).has_value());
    hal::ExtendedState::save(area);
    hal::ExtendedState::forbid();
    expect_fault([] { asm volatile("xorps %xmm0, %xmm0"); }, FaultKind::other);
    boot::current_kernel().frames->free(frame.value(), 0).value();
}

TEST(Exceptions, FloatingPointInstructionsFault) {
    expect_fault([] { asm volatile("fldz"); }, FaultKind::other);
}

TEST(Exceptions, NonMaskableInterruptOnItsOwnStack) {
    expect_fault([] { asm volatile("int $2"); }, FaultKind::non_maskable);
}

TEST(Exceptions, TheCanaryIsDrawn) {
    u64 const canary = metal::machine().boot_processor.canary;
    EXPECT_NE(canary, 0u);
    EXPECT_EQ(canary & 0xff, 0u); // ends a text
}
