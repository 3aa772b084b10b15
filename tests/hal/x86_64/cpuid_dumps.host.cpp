// What CPUID's later leaves mean, on answers recorded on processors: an i7-1255U (12th generation,
// an efficiency core; its own kernel measured 2611.200 MHz), a laptop with AVX-512 (11th
// generation), a Ryzen 9 5900X, a Pentium G4600, and QEMU's TCG.
//
// Sources: cpuid -r of the Linux kernel's mailing lists (the 12th generation, May 2024; leaf 0xD of
// the 11th, "Fix XSAVE layout in core dumps"), InstLatx64.
#include "isa/core_class.hpp"
#include "isa/counter_frequency.hpp"
#include "isa/extended_state.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using hal::CoreClass;
using isa::CpuidLeaf;

constexpr CpuidLeaf hybrid_structured{0x2, 0x239c'a7eb, 0x9840'07bc, 0xfc18'c410};
constexpr CpuidLeaf skylake_structured{0, 0x029c'6fbf, 0, 0};

} // namespace

TEST(CoreClass, TellsCoresOfAHybridApart) {
    EXPECT_EQ(isa::core_class(hybrid_structured, {.eax = 0x2000'0001}), CoreClass::efficiency);
    EXPECT_EQ(isa::core_class(hybrid_structured, {.eax = 0x4000'0001}), CoreClass::performance);
}

TEST(CoreClass, AllOthersAreUniform) {
    EXPECT_EQ(isa::core_class(skylake_structured, {}), CoreClass::uniform);
    // Leaf 0x1A speaks on processors that mix nothing too, and may name what nobody knows yet.
    EXPECT_EQ(isa::core_class(skylake_structured, {.eax = 0x4000'0001}), CoreClass::uniform);
    EXPECT_EQ(isa::core_class(hybrid_structured, {.eax = 0x7000'0001}), CoreClass::uniform);
    EXPECT_EQ(isa::core_class(hybrid_structured, {}), CoreClass::uniform);
}

TEST(ExtendedState, EnablesWhatThreadsMayUse) {
    // 12th generation: x87, SSE, AVX, protection keys.
    EXPECT_EQ(isa::extended_state_to_enable({0x207, 0xa88, 0xa88, 0}), 0x7u);
    // 11th: the same, and all of AVX-512.
    EXPECT_EQ(isa::extended_state_to_enable({0x2e7, 0xa88, 0xa88, 0}), 0xe7u);
    // Skylake with bounds registers, whose instructions nobody uses.
    EXPECT_EQ(isa::extended_state_to_enable({0x1f, 0x440, 0x440, 0}), 0x7u);
    EXPECT_EQ(isa::extended_state_to_enable({0x7, 0x340, 0x340, 0}), 0x7u);
}

TEST(ExtendedState, Avx512IsAllOrNothing) {
    for (u32 const part : {0x27u, 0x47u, 0x87u, 0x67u, 0xc7u}) {
        EXPECT_EQ(isa::extended_state_to_enable({.eax = part}), 0x7u);
    }
    EXPECT_EQ(isa::extended_state_to_enable({.eax = 0xe3}), 0x3u); // not without AVX
    EXPECT_EQ(isa::extended_state_to_enable({}), 0x3u);
}

TEST(CounterFrequency, ByCrystalAndRatio) {
    EXPECT_EQ(
        isa::time_stamp_hz({0x2, 0x88, 0x0249'f000, 0}, {0xa28, 0xdac, 0x64, 0}), 2'611'200'000u);
    // No overflow, whatever is answered.
    EXPECT_EQ(isa::time_stamp_hz({1, ~u32{0}, ~u32{0}, 0}, {}), u64{~u32{0}} * u64{~u32{0}});
}

TEST(CounterFrequency, ByTheBaseFrequencyWhereTheCrystalIsUnknown) {
    EXPECT_EQ(isa::time_stamp_hz({0x2, 0x12c, 0, 0}, {0xe10, 0xe10, 0x64, 0}), 3'600'000'000u);
    EXPECT_EQ(isa::time_stamp_hz({}, {0xffff'0e10, 0, 0, 0}), 3'600'000'000u); // reserved above
    EXPECT_EQ(isa::time_stamp_hz({}, {}), 0u);
    EXPECT_EQ(isa::time_stamp_hz({0, 0x88, 0x0249'f000, 0}, {}), 0u);
}
