// Guards put interrupts back as they were, locks are noted by rank, and each processor has a cache
// line of its own.
#include "core/sync/sync.hpp"

#include "tests/support/test.hpp"

namespace twofold::sync {
namespace {

using hal::Interrupt;
using hal::InterruptState;

/// The ranks that the running processor holds.
std::span<LockRank const> held() {
    CpuState const& state = *cpu_state();
    return std::span(state.held).first(state.held_count);
}

TEST(InterruptGuard, RestoresWhatWasBefore) {
    InterruptState const before = Interrupt::disable();
    Interrupt::restore(InterruptState::enabled);
    {
        InterruptGuard const outer;
        EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
        {
            InterruptGuard const inner;
            EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
        }
        EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    }
    EXPECT_TRUE(Interrupt::state() == InterruptState::enabled);
    Interrupt::disable();
    {
        InterruptGuard const guard;
        EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    }
    EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    Interrupt::restore(before);
}

TEST(SpinLock, ItsGuardRestoresInterrupts) {
    SpinLock lock(LockRank::innermost);
    InterruptState const before = Interrupt::disable();
    Interrupt::restore(InterruptState::enabled);
    for (int round = 0; round < 3; ++round) { // given back, it can be taken again
        {
            SpinLockGuard const guard(lock, save_interrupts);
            EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
        }
        EXPECT_TRUE(Interrupt::state() == InterruptState::enabled);
    }
    Interrupt::disable();
    {
        SpinLockGuard const guard(lock, interrupts_are_off);
        EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    }
    {
        SpinLockGuard const guard(lock, save_interrupts);
    }
    EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    Interrupt::restore(before);
}

TEST(SpinLock, APanicTakesItOnlyWhereNobodyHoldsIt) {
    SpinLock outer(LockRank::frames);
    SpinLock lock(LockRank::heap); // which may not be taken while the other is held
    u32 calls = 0;
    InterruptGuard const off;
    {
        SpinLockGuard const guard(lock, interrupts_are_off);
        EXPECT_FALSE(lock.call_in_panic([&calls] { ++calls; }));
    }
    EXPECT_EQ(calls, 0u);
    {
        SpinLockGuard const guard(outer, interrupts_are_off);
        EXPECT_TRUE(lock.call_in_panic([&] {
            ++calls;
            EXPECT_FALSE(lock.call_in_panic([&calls] { ++calls; }));
        }));
    }
    EXPECT_EQ(calls, 1u);
    SpinLockGuard const guard(lock, interrupts_are_off); // it was given back
}

TEST(SpinLock, RanksAreNotedWhileHeld) {
    SpinLock outer(LockRank::heap);
    SpinLock inner(LockRank::frames);
    EXPECT_EQ(outer.rank(), LockRank::heap);
    usize const noted = checks_enabled ? 1 : 0;
    EXPECT_EQ(held().size(), 0u);
    {
        SpinLockGuard const first(outer, save_interrupts);
        EXPECT_EQ(held().size(), noted);
        {
            SpinLockGuard const second(inner, interrupts_are_off);
            ASSERT_EQ(held().size(), 2 * noted);
            EXPECT_TRUE(!checks_enabled || held().back() == LockRank::frames);
        }
        EXPECT_EQ(held().size(), noted);
    }
    EXPECT_EQ(held().size(), 0u);
}

TEST(QueueLock, ItsGuardRestoresInterrupts) {
    QueueLock lock(LockRank::innermost);
    InterruptState const before = Interrupt::disable();
    Interrupt::restore(InterruptState::enabled);
    for (int round = 0; round < 3; ++round) { // given back, it can be taken again
        {
            QueueLockGuard const guard(lock, save_interrupts);
            EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
        }
        EXPECT_TRUE(Interrupt::state() == InterruptState::enabled);
    }
    Interrupt::disable();
    {
        QueueLockGuard const guard(lock, interrupts_are_off);
        EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    }
    EXPECT_TRUE(Interrupt::state() == InterruptState::disabled);
    Interrupt::restore(before);
}

TEST(QueueLock, HeldWithInterruptsOnItsHolderIsNotPreempted) {
    QueueLock lock(LockRank::innermost);
    InterruptState const before = Interrupt::state();
    {
        QueueLockGuard const guard(lock, interrupts_stay_on);
        EXPECT_EQ(current_context(), ExecutionContext::no_preempt);
        EXPECT_TRUE(Interrupt::state() == before);
    }
    EXPECT_EQ(current_context(), ExecutionContext::thread);
}

TEST(QueueLock, RanksAreNotedWhileHeld) {
    QueueLock outer(LockRank::heap);
    SpinLock inner(LockRank::frames);
    EXPECT_EQ(outer.rank(), LockRank::heap);
    usize const noted = checks_enabled ? 1 : 0;
    {
        QueueLockGuard const first(outer, save_interrupts);
        EXPECT_EQ(held().size(), noted);
        {
            SpinLockGuard const second(inner, interrupts_are_off);
            EXPECT_EQ(held().size(), 2 * noted);
        }
        EXPECT_EQ(held().size(), noted);
    }
    EXPECT_EQ(held().size(), 0u);
}

TEST(ExecutionContext, WhatEachMayDo) {
    struct Row {
        ExecutionContext context;
        bool wait, allocate, lock;
    };
    constexpr Row table[] = {
        {ExecutionContext::thread, true, true, true},
        {ExecutionContext::work, true, true, true},
        {ExecutionContext::no_preempt, false, true, true},
        {ExecutionContext::irq, false, false, true},
        {ExecutionContext::nmi, false, false, false}};
    for (Row const& row : table) {
        EXPECT_EQ(may(row.context, Ability::wait), row.wait);
        EXPECT_EQ(may(row.context, Ability::allocate), row.allocate);
        EXPECT_EQ(may(row.context, Ability::lock), row.lock);
        for (Row const& inner : table) {
            EXPECT_EQ(may_enter(row.context, inner.context), inner.context >= row.context);
        }
        EXPECT_FALSE(execution_context_name(row.context).empty());
    }
}

TEST(ExecutionContext, ScopesNestAndEnd) {
    CpuState& state = *cpu_state();
    EXPECT_EQ(current_context(), ExecutionContext::thread);
    {
        ContextScope const outer(state, ExecutionContext::no_preempt);
        EXPECT_EQ(current_context(), ExecutionContext::no_preempt);
        {
            InterruptGuard const off;
            ContextScope const inner(state, ExecutionContext::irq);
            EXPECT_EQ(current_context(), ExecutionContext::irq);
            require(Ability::lock);
        }
        EXPECT_EQ(current_context(), ExecutionContext::no_preempt);
        require(Ability::allocate);
    }
    EXPECT_EQ(current_context(), ExecutionContext::thread);
    require(Ability::wait);
}

TEST(CallQueue, RunsCallsInTheirOrderAndOnce) {
    struct Step {
        static void run(void* self) {
            auto& step = *static_cast<Step*>(self);
            step.order = ++*step.count;
        }
        u32* count = nullptr;
        u32 order = 0;
        Call call;
    };
    u32 count = 0;
    Step steps[3];
    CallQueue queue;
    EXPECT_FALSE(queue.has_calls());
    EXPECT_EQ(queue.run(), 0u);
    for (u32 round = 0; round < 2; ++round) { // a call can be used again
        count = 0;
        for (u32 i = 0; i < std::size(steps); ++i) {
            steps[i].count = &count;
            steps[i].call.set(Step::run, &steps[i]);
            EXPECT_EQ(queue.add(steps[i].call), i == 0); // only the first has to tell
            EXPECT_TRUE(steps[i].call.is_pending());
        }
        EXPECT_EQ(queue.run(), 3u);
        for (u32 i = 0; i < std::size(steps); ++i) {
            EXPECT_EQ(steps[i].order, i + 1);
            EXPECT_FALSE(steps[i].call.is_pending());
        }
    }
}

TEST(PerCpu, SlotsAreApart) {
    struct Counter {
        u32 value = 7;
    };
    alignas(cache_line_bytes) std::byte bytes[PerCpu<Counter>::storage_for(4).value];
    StorageCursor storage(bytes);
    auto const made = PerCpu<Counter>::create(storage, 4);
    ASSERT_TRUE(made.has_value());
    PerCpu<Counter> const& counters = made.value();
    EXPECT_EQ(counters.count(), 4u);
    for (u32 cpu = 0; cpu < 4; ++cpu) {
        EXPECT_EQ(counters.of({cpu}).value, 7u);
        counters.of({cpu}).value = cpu;
    }
    InterruptGuard const guard;
    EXPECT_EQ(counters.local(guard).value, hal::Cpu::id().value);
    EXPECT_EQ(&counters.local(guard), &counters.of(hal::Cpu::id()));
    auto const* const first = static_cast<void const*>(&counters.of({0}));
    auto const* const second = static_cast<void const*>(&counters.of({1}));
    EXPECT_EQ(
        static_cast<std::byte const*>(second) - static_cast<std::byte const*>(first),
        static_cast<i64>(cache_line_bytes));
}

TEST(PerCpu, TooLittleStorage) {
    std::byte bytes[3 * cache_line_bytes];
    StorageCursor storage(bytes);
    EXPECT_EQ(PerCpu<u64>::create(storage, 4).error(), Error::no_space);
    EXPECT_EQ(storage.bytes_left(), sizeof(bytes)); // nothing was taken
}

TEST(StorageCursor, TakesOneBehindTheOther) {
    alignas(16) std::byte bytes[64];
    StorageCursor storage(bytes);
    auto const odd = storage.take<u8>(3);
    ASSERT_TRUE(odd.has_value());
    auto const words = storage.take<u64>(2);
    ASSERT_TRUE(words.has_value());
    EXPECT_EQ(words.value()[0] + words.value()[1] + odd.value()[2], 0u);
    EXPECT_EQ(storage.bytes_left(), 64u - 8 - 16);
    EXPECT_EQ(storage.take<u64>(6).error(), Error::no_space);
    EXPECT_EQ(storage.take<u64>(~usize{0} / 4).error(), Error::no_space);
    EXPECT_TRUE(storage.take<u64>(5).has_value());
    EXPECT_EQ(storage.take<u8>(1).error(), Error::no_space);
    EXPECT_TRUE(storage.take<u8>(0).has_value());
}

} // namespace
} // namespace twofold::sync
