// The running processor.
#include "hal/cpu.hpp"

#include "core/boot/boot.hpp"
#include "hal/entropy.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

TEST(Cpu, IsNumberedWithinTheCount) {
    EXPECT_GE(hal::Cpu::count(), 1u);
    EXPECT_LT(hal::Cpu::id().value, hal::Cpu::count());
}

TEST(Cpu, DescribesItself) {
    hal::CpuDescription const cpu = hal::Cpu::describe();
    EXPECT_FALSE(text_of(cpu.vendor).empty());
    EXPECT_LT(text_of(cpu.vendor).size(), sizeof(cpu.vendor));
    EXPECT_LT(text_of(cpu.model).size(), sizeof(cpu.model));
    for (unsigned bit = 0; bit < 64; ++bit) {
        bool const has = (cpu.features >> bit & 1) != 0;
        EXPECT_TRUE(!has || !hal::Cpu::feature_name(bit).empty());
    }
}

TEST(Cpu, FeatureNamesAreUniqueAndEndWithTheWord) {
    EXPECT_TRUE(hal::Cpu::feature_name(64).empty());
    EXPECT_TRUE(hal::Cpu::feature_name(~0u).empty());
    for (unsigned a = 0; a < 64; ++a) {
        for (unsigned b = 0; b < a; ++b) {
            std::string_view const name = hal::Cpu::feature_name(a);
            EXPECT_TRUE(name.empty() || name != hal::Cpu::feature_name(b));
        }
    }
}

TEST(Cpu, CycleCounterNeverGoesBack) {
    u64 last = hal::Cpu::cycle_counter();
    u64 const first = last;
    for (unsigned i = 0; i < 1000; ++i) {
        u64 const now = hal::Cpu::cycle_counter();
        ASSERT_GE(now, last);
        last = now;
        hal::Cpu::pause();
        hal::Cpu::charge(10);
    }
    EXPECT_GT(last, first);
}

TEST(Cpu, KeepsThePerCpuPointer) {
    void* const before = hal::Cpu::per_cpu();
    int other = 0;
    hal::Cpu::set_per_cpu(&other);
    void* const seen = hal::Cpu::per_cpu();
    hal::Cpu::set_per_cpu(before);
    EXPECT_EQ(seen, static_cast<void*>(&other));
    EXPECT_EQ(hal::Cpu::per_cpu(), before);
}

namespace {

[[gnu::noinline]] unsigned depth_of_stack() {
    unsigned depth = 0;
    hal::StackFrame frame = hal::Cpu::current_frame();
    while (auto const above = hal::Cpu::caller(frame)) {
        CHECK(above->frame_pointer > frame.frame_pointer);
        frame = *above;
        ++depth;
    }
    return depth;
}

[[gnu::noinline]] unsigned deeper_by_one() {
    return depth_of_stack() + 0 * hal::Cpu::count();
}

} // namespace

TEST(Cpu, WalksItsOwnStackToTheEnd) {
    unsigned const here = depth_of_stack();
    EXPECT_GE(here, 3u);
    EXPECT_EQ(deeper_by_one(), here + 1);
}

TEST(Cpu, GuardedCallReturnsWhatHappened) {
    hal::RecoveryPoint point{};
    bool called = false;
    bool const returned = hal::Cpu::guarded_call(
        point, [](void* argument) { *static_cast<bool*>(argument) = true; }, &called);
    EXPECT_TRUE(returned);
    EXPECT_TRUE(called);
}

TEST(Cpu, GuardedCallsNest) {
    u64 inner_faults = 0;
    auto const outer = boot::catch_fault([&] {
        auto const inner = boot::catch_fault([] { __builtin_trap(); });
        inner_faults += inner.has_value() ? 1 : 0;
        __builtin_trap();
    });
    ASSERT_TRUE(outer.has_value());
    EXPECT_EQ(inner_faults, 1u);
    EXPECT_EQ(outer->kind, hal::FaultKind::invalid_instruction);
    EXPECT_FALSE(boot::catch_fault([] {}).has_value());
}

TEST(Cpu, CalleeSavedRegistersSurviveARecovery) {
    u64 a = hal::Cpu::cycle_counter();
    u64 const b = a ^ 0x5555;
    u64 const c = a + 99;
    for (u64 i = 0; i < 50; ++i) {
        auto const fault = boot::catch_fault([] { __builtin_trap(); });
        ASSERT_TRUE(fault.has_value());
        a += i;
    }
    EXPECT_EQ(a, c - 99 + 50 * 49 / 2);
    EXPECT_EQ((a - 50 * 49 / 2) ^ 0x5555, b);
}

TEST(Entropy, FillsEveryByteAndRepeatsNothing) {
    std::byte first[64]{};
    std::byte second[64]{};
    hal::Entropy::fill({});
    hal::Entropy::fill(first);
    hal::Entropy::fill(second);
    unsigned equal = 0;
    unsigned zero = 0;
    for (usize i = 0; i < sizeof(first); ++i) {
        equal += first[i] == second[i] ? 1 : 0;
        zero += first[i] == std::byte{0} ? 1 : 0;
    }
    EXPECT_LT(equal, 16u); // chance: below 2^-60
    EXPECT_LT(zero, 16u);
}
