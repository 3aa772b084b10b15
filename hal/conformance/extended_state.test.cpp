// Extended registers are kept for those who own them: each finds its own, whoever has run
// meanwhile. This file alone is allowed to use them without being told so ([vector.provoked] in
// tools/tidy/ladder.toml).
#include "hal/extended_state.hpp"

#include "core/boot/boot.hpp"
#include "hal/context.hpp"
#include "hal/cpu.hpp"
#include "hal/memory.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using hal::ExtendedState;

namespace {

constexpr u32 initial_control = 0x1f80;
/// Towards zero, and what is too small becomes zero.
constexpr u32 other_control = 0xff80;

/// The lower halves of sixteen vector registers, and the control word of vectors.
struct Registers {
    alignas(16) u64 words[16][2] = {};
    u32 control = initial_control;

    static Registers pattern(u64 seed) {
        Registers made;
        for (u64(&word)[2] : made.words) {
            word[0] = seed = seed * 6'364'136'223'846'793'005u + 1;
            word[1] = ~seed;
        }
        return made;
    }
    bool operator==(Registers const&) const = default;

    void load() const {
        asm volatile("ldmxcsr %[control]\n\t"
                     "movaps 0(%[words]), %%xmm0\n\tmovaps 16(%[words]), %%xmm1\n\t"
                     "movaps 32(%[words]), %%xmm2\n\tmovaps 48(%[words]), %%xmm3\n\t"
                     "movaps 64(%[words]), %%xmm4\n\tmovaps 80(%[words]), %%xmm5\n\t"
                     "movaps 96(%[words]), %%xmm6\n\tmovaps 112(%[words]), %%xmm7\n\t"
                     "movaps 128(%[words]), %%xmm8\n\tmovaps 144(%[words]), %%xmm9\n\t"
                     "movaps 160(%[words]), %%xmm10\n\tmovaps 176(%[words]), %%xmm11\n\t"
                     "movaps 192(%[words]), %%xmm12\n\tmovaps 208(%[words]), %%xmm13\n\t"
                     "movaps 224(%[words]), %%xmm14\n\tmovaps 240(%[words]), %%xmm15"
                     :
                     : [words] "r"(words), [control] "m"(control)
                     : "memory");
    }
    static Registers now() {
        Registers seen;
        asm volatile("stmxcsr %[control]\n\t"
                     "movaps %%xmm0, 0(%[words])\n\tmovaps %%xmm1, 16(%[words])\n\t"
                     "movaps %%xmm2, 32(%[words])\n\tmovaps %%xmm3, 48(%[words])\n\t"
                     "movaps %%xmm4, 64(%[words])\n\tmovaps %%xmm5, 80(%[words])\n\t"
                     "movaps %%xmm6, 96(%[words])\n\tmovaps %%xmm7, 112(%[words])\n\t"
                     "movaps %%xmm8, 128(%[words])\n\tmovaps %%xmm9, 144(%[words])\n\t"
                     "movaps %%xmm10, 160(%[words])\n\tmovaps %%xmm11, 176(%[words])\n\t"
                     "movaps %%xmm12, 192(%[words])\n\tmovaps %%xmm13, 208(%[words])\n\t"
                     "movaps %%xmm14, 224(%[words])\n\tmovaps %%xmm15, 240(%[words])"
                     : [control] "=m"(seen.control)
                     : [words] "r"(seen.words)
                     : "memory");
        return seen;
    }

    // The operations, with interrupts off for as long as they take.
    static void restore(std::span<std::byte> area) {
        sync::InterruptGuard const off;
        ExtendedState::restore(area);
    }
    static void save(std::span<std::byte> area) {
        sync::InterruptGuard const off;
        ExtendedState::save(area);
    }
    static void save_control(std::span<std::byte> area) {
        sync::InterruptGuard const off;
        ExtendedState::save_control(area);
    }
    static void forbid() {
        sync::InterruptGuard const off;
        ExtendedState::forbid();
    }
};

/// A page for the registers of one thread.
std::span<std::byte> new_area() {
    CHECK(ExtendedState::area_bytes() <= page_size);
    auto const frame = boot::current_kernel().frames->allocate(0);
    CHECK(frame.has_value());
    return {hal::Memory::linear(frame.value()), page_size.value};
}

void free_area(std::span<std::byte> area) {
    boot::current_kernel().frames->free(hal::Memory::physical(area.data()), 0).value();
}

/// Two areas; in the end nobody owns registers.
class ExtendedStateTest {
public:
    ExtendedStateTest() {
        // Also what lay there before must not be seen.
        __builtin_memset(first.data(), 0xa5, first.size());
        __builtin_memset(second.data(), 0xa5, second.size());
        ExtendedState::prepare(first);
        ExtendedState::prepare(second);
    }
    ~ExtendedStateTest() {
        ExtendedState::prepare(first);
        Registers::restore(first); // a host goes on with what it expects
        Registers::forbid();
        free_area(second);
        free_area(first);
    }

    std::span<std::byte> const first = new_area();
    std::span<std::byte> const second = new_area();
};

} // namespace

TEST(ExtendedState, AnAreaIsSmallAndAligned) {
    EXPECT_GE(ExtendedState::area_bytes(), Bytes{512});
    EXPECT_TRUE(is_aligned(ExtendedState::area_bytes().value, ExtendedState::area_alignment));
    EXPECT_TRUE(std::has_single_bit(ExtendedState::area_alignment));
}

TEST(ExtendedState, BeginsWithZerosAndTheInitialControl) {
    ExtendedStateTest const areas;
    Registers::restore(areas.first);
    Registers::pattern(1).load();
    Registers::restore(areas.second);
    EXPECT_TRUE(Registers::now() == Registers());
}

TEST(ExtendedState, WhatTwoOwnDoesNotMix) {
    ExtendedStateTest const areas;
    Registers mine = Registers::pattern(1);
    Registers const others = Registers::pattern(2);
    mine.control = other_control;
    Registers::restore(areas.first);
    mine.load();
    Registers::save(areas.first);
    Registers::restore(areas.second);
    EXPECT_TRUE(Registers::now() == Registers());
    others.load();
    for (int round = 0; round < 3; ++round) {
        Registers::save(areas.second);
        Registers::restore(areas.first);
        EXPECT_TRUE(Registers::now() == mine);
        Registers::save(areas.first);
        Registers::forbid(); // somebody who owns none
        Registers::restore(areas.second);
        EXPECT_TRUE(Registers::now() == others);
    }
}

TEST(ExtendedState, ACallKeepsTheControlAlone) {
    ExtendedStateTest const areas;
    Registers mine = Registers::pattern(1);
    mine.control = other_control;
    Registers::restore(areas.first);
    mine.load();
    Registers::save_control(areas.first);
    Registers::restore(areas.second);
    EXPECT_TRUE(Registers::now() == Registers());
    Registers::save_control(areas.second);
    Registers::restore(areas.first);
    EXPECT_EQ(Registers::now().control, other_control);
    Registers::save_control(areas.first);
    Registers::restore(areas.second);
    EXPECT_EQ(Registers::now().control, initial_control);
    Registers::save_control(areas.second);
    Registers::restore(areas.first);
    // And it may be left by an interrupt after that, with all that it has by then.
    mine.load();
    Registers::save(areas.first);
    Registers::restore(areas.second);
    EXPECT_EQ(Registers::now().control, initial_control);
    Registers::restore(areas.first);
    EXPECT_TRUE(Registers::now() == mine);
}

namespace {

/// Two contexts that own registers and leave each other in turn.
struct Owners {
    hal::Context here, there;
    ExtendedStateTest areas;
    u64 wrong = 0;

    static void play(void* argument) {
        auto& self = *static_cast<Owners*>(argument);
        Registers::restore(self.areas.second);
        self.wrong += Registers::now() == Registers() ? 0 : 1;
        for (u64 round = 0;; ++round) {
            Registers const mine = Registers::pattern(1000 + round);
            mine.load();
            Registers::save(self.areas.second);
            hal::Context::switch_between(self.there, self.here);
            Registers::restore(self.areas.second);
            self.wrong += Registers::now() == mine ? 0 : 1;
        }
    }
};

} // namespace

TEST(ExtendedState, GoesWithContexts) {
    constexpr u32 stack_order = 2;
    constexpr Bytes stack_size{page_size.value << stack_order};
    auto const stack = boot::current_kernel().frames->allocate(stack_order);
    ASSERT_TRUE(stack.has_value());
    Owners owners;
    owners.there.create(
        {hal::Memory::linear(stack.value()), stack_size.value}, Owners::play, &owners);
    Registers::restore(owners.areas.first);
    for (u64 round = 0; round < 10; ++round) {
        Registers const mine = Registers::pattern(round);
        mine.load();
        Registers::save(owners.areas.first);
        hal::Context::switch_between(owners.here, owners.there);
        Registers::restore(owners.areas.first);
        ASSERT_TRUE(Registers::now() == mine);
    }
    EXPECT_EQ(owners.wrong, 0u);
    unpoison(hal::Memory::linear(stack.value()), stack_size.value); // nobody left its frames
    boot::current_kernel().frames->free(stack.value(), stack_order).value();
}
