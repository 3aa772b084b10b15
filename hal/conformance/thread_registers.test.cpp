// Threads that own vector registers: each finds its own, whether it was left by a call or by an
// interrupt, and whoever has run meanwhile.
#include "core/boot/boot.hpp"
#include "core/task/task.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using task::Thread;
using task::ThreadAttributes;
using task::Threads;

namespace {

void set_register(u64 value) {
    asm volatile("movq %0, %%xmm7" : : "r"(value));
}
u64 get_register() {
    u64 value;
    asm volatile("movq %%xmm7, %0" : "=r"(value));
    return value;
}
void set_control(u32 value) {
    asm volatile("ldmxcsr %0" : : "m"(value));
}
u32 get_control() {
    u32 value;
    asm volatile("stmxcsr %0" : "=m"(value));
    return value;
}

constexpr u32 owners = 3;

struct Shared {
    Threads& threads;
    Atomic<u32> wrong{0};
    Atomic<u32> number{0};
    Atomic<u32> preempted{0};
};

/// Computes with its register until all were preempted some times, and yields now and then.
void use_registers(void* argument) {
    auto& shared = *static_cast<Shared*>(argument);
    Thread const& self = Threads::current();
    u64 const own = 0x1234'5678'0000'0000 + shared.number.fetch_add(1, relaxed);
    u32 const control = own % 2 == 0 ? 0x1f80 : 0x9f80;
    set_control(control);
    Nanos const began = hal::Clock::now();
    bool is_preempted = false;
    while (shared.preempted.load(relaxed) < owners &&
           hal::Clock::now() - began < Nanos{60'000'000'000}) {
        if (!is_preempted && shared.threads.counts(self).preemptions >= 5) {
            is_preempted = true;
            shared.preempted.fetch_add(1, relaxed);
        }
        set_register(own);
        for (u32 turn = 0; turn < 2000; ++turn) {
            asm volatile("");
        }
        hal::Cpu::pause(); // under ThreadSanitizer interrupts come in spins alone
        if (get_register() != own || get_control() != control) {
            shared.wrong.fetch_add(1, relaxed);
        }
    }
    for (u32 turn = 0; turn < 100; ++turn) {
        shared.threads.yield(); // a call keeps the control word alone
        if (get_control() != control) {
            shared.wrong.fetch_add(1, relaxed);
        }
    }
}

} // namespace

TEST(ThreadRegisters, EachOwnerFindsItsOwn) {
    Shared shared{*boot::current_kernel().threads};
    ThreadAttributes attributes;
    attributes.owns_registers = true;
    attributes.allowed = sched::CpuMask::only({0});
    Thread* made[owners];
    for (Thread*& thread : made) {
        auto const spawned = shared.threads.spawn(attributes, use_registers, &shared);
        ASSERT_TRUE(spawned.has_value());
        thread = spawned.value();
    }
    for (Thread* const thread : made) {
        ASSERT_TRUE(shared.threads.join(*thread).has_value());
    }
    EXPECT_EQ(shared.wrong.load(relaxed), 0u);
    EXPECT_EQ(shared.preempted.load(relaxed), owners);
}
