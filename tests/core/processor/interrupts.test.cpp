// Interrupts that really arrive: handlers, second halves, contexts, and what a storm comes to.
#include "core/boot/boot.hpp"
#include "hal/controller.hpp"
#include "tests/support/test.hpp"

namespace twofold::processor {
namespace {

using hal::Controller;
using hal::Vector;
using sync::ExecutionContext;

Interrupts& interrupts() {
    return boot::current_kernel().interrupts;
}

/// What a handler saw; counted where interrupts may come at any moment.
struct Halves {
    Atomic<u32> first_halves{0};
    Atomic<u32> second_halves{0};
    ExecutionContext first_context = ExecutionContext::thread;
    ExecutionContext second_context = ExecutionContext::thread;
    hal::InterruptState first_state = hal::InterruptState::enabled;
    hal::InterruptState second_state = hal::InterruptState::disabled;
    Handling answer = Handling::handled;
    Vector raised_in_second{}; ///< raised once by the second half
};

Handling first_half(void* argument, hal::Interruption const&) {
    auto& seen = *static_cast<Halves*>(argument);
    seen.first_context = sync::current_context();
    seen.first_state = hal::Interrupt::state();
    seen.first_halves.fetch_add(1, release);
    return seen.answer;
}

void second_half(void* argument) {
    auto& seen = *static_cast<Halves*>(argument);
    seen.second_context = sync::current_context();
    seen.second_state = hal::Interrupt::state();
    seen.second_halves.fetch_add(1, release);
    if (Vector const again = seen.raised_in_second; again != Vector{}) {
        seen.raised_in_second = {};
        Controller::send(this_cpu().id, again);
        hal::Interrupt::poll();
    }
}

/// A vector for the length of a test.
class Bound {
public:
    explicit Bound(Halves& seen)
        : m_vector(interrupts().bind_any(
              {.handler = first_half,
               .argument = &seen,
               .name = "test",
               .second_half = second_half})) {}
    ~Bound() {
        if (m_vector) {
            interrupts().unbind(m_vector.value()).value();
        }
    }
    bool holds() const { return m_vector.has_value(); }
    Vector vector() const { return m_vector.value(); }
    /// Raises it on this processor; it has been taken when this returns and interrupts are on.
    void raise() const {
        Controller::send(this_cpu().id, vector());
        settle();
    }
    void settle() const {
        bool const is_on = hal::Interrupt::state() == hal::InterruptState::enabled;
        while (is_on && Controller::is_pending(vector())) {
            hal::Interrupt::poll();
        }
    }

private:
    Result<Vector> m_vector;
};

u64 taken(Vector vector) {
    return this_cpu().counts[vector.value].taken;
}

TEST(Interrupts, TheMachineHasSome) {
    ASSERT_TRUE(interrupts().is_open());
    EXPECT_EQ(hal::Interrupt::state(), hal::InterruptState::enabled);
    EXPECT_FALSE(interrupts().table().given_out().contains(interrupts().table().spurious()));
}

TEST(Interrupts, AHandlerRunsInItsContext) {
    Halves seen;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    u64 const before = taken(bound.vector());
    for (u32 i = 1; i <= 100; ++i) {
        bound.raise();
        ASSERT_EQ(seen.first_halves.load(acquire), i);
    }
    EXPECT_EQ(seen.first_context, ExecutionContext::irq);
    EXPECT_EQ(seen.first_state, hal::InterruptState::disabled);
    EXPECT_EQ(sync::current_context(), ExecutionContext::thread);
    EXPECT_EQ(taken(bound.vector()) - before, 100u);
    EXPECT_EQ(seen.second_halves.load(acquire), 0u);
}

TEST(Interrupts, HeldBackWhileOffAndNotDoubled) {
    Halves seen;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    {
        sync::InterruptGuard const outer;
        sync::InterruptGuard const inner;
        bound.raise();
        bound.raise();
        EXPECT_TRUE(Controller::is_pending(bound.vector()));
        EXPECT_EQ(seen.first_halves.load(acquire), 0u);
    }
    bound.settle();
    EXPECT_EQ(seen.first_halves.load(acquire), 1u);
}

TEST(Interrupts, SecondHalvesRunWithInterruptsOn) {
    Halves seen;
    seen.answer = Handling::wake;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    bound.raise();
    EXPECT_EQ(seen.first_halves.load(acquire), 1u);
    EXPECT_EQ(seen.second_halves.load(acquire), 1u);
    EXPECT_EQ(seen.second_context, ExecutionContext::work);
    EXPECT_EQ(seen.second_state, hal::InterruptState::enabled);
    EXPECT_EQ(sync::current_context(), ExecutionContext::thread);
    EXPECT_EQ(hal::Interrupt::state(), hal::InterruptState::enabled);
}

TEST(Interrupts, ASecondHalfIsInterruptedAndRunsAgain) {
    Halves seen;
    seen.answer = Handling::wake;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    seen.raised_in_second = bound.vector();
    bound.raise();
    bound.settle();
    EXPECT_EQ(seen.first_halves.load(acquire), 2u);
    EXPECT_EQ(seen.second_halves.load(acquire), 2u); // behind the first, not inside of it
}

TEST(Interrupts, SecondHalvesWaitForTheEndOfNoPreempt) {
    Halves seen;
    seen.answer = Handling::wake;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    {
        sync::NoPreemptGuard const outer;
        {
            sync::NoPreemptGuard const inner;
            bound.raise();
            bound.raise();
            EXPECT_EQ(seen.first_halves.load(acquire), 2u);
        }
        EXPECT_EQ(sync::current_context(), ExecutionContext::no_preempt);
        EXPECT_EQ(seen.second_halves.load(acquire), 0u);
    }
    EXPECT_EQ(seen.second_halves.load(acquire), 1u); // once for both
}

TEST(Interrupts, UnboundVectorsAreCounted) {
    Vector vector{};
    {
        Halves seen;
        Bound const bound(seen);
        ASSERT_TRUE(bound.holds());
        vector = bound.vector();
    }
    VectorCounts const before = this_cpu().counts[vector.value];
    Controller::send(this_cpu().id, vector);
    while (Controller::is_pending(vector)) {
        hal::Interrupt::poll();
    }
    VectorCounts const& after = this_cpu().counts[vector.value];
    EXPECT_EQ(after.taken - before.taken, 1u);
    EXPECT_EQ(after.not_handled - before.not_handled, 1u);
    EXPECT_EQ(interrupts().unbind(vector).error(), Error::not_found);
}

TEST(Interrupts, BindingTwiceAndOutOfRange) {
    Halves seen;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    InterruptBinding const binding{.handler = first_half, .argument = &seen, .name = "again"};
    EXPECT_EQ(interrupts().bind(bound.vector(), binding).error(), Error::already_exists);
    EXPECT_EQ(interrupts().bind({0}, binding).error(), Error::out_of_range);
    EXPECT_EQ(interrupts().bind({3}, binding).error(), Error::out_of_range);
    EXPECT_EQ(interrupts().unbind({0}).error(), Error::not_found);
}

TEST(Interrupts, LinesThatDoNotExist) {
    Halves seen;
    InterruptBinding const binding{.handler = first_half, .argument = &seen, .name = "line"};
    hal::Line const beyond{Controller::lines()};
    EXPECT_EQ(
        interrupts().bind_line({.line = beyond, .target = {}}, binding).error(),
        Error::out_of_range);
    EXPECT_EQ(interrupts().mask_line(beyond).error(), Error::not_found);
    EXPECT_EQ(interrupts().unmask_line(beyond).error(), Error::not_found);
    EXPECT_EQ(
        interrupts().bind_line({.line = beyond, .target = {}}, {}).error(),
        Error::invalid_argument);
}

TEST(Interrupts, AStormIsSilencedAndSaidOnce) {
    Halves seen;
    seen.answer = Handling::not_mine;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    u64 const storms = interrupts().storms();
    u64 const logged = boot::current_kernel().log_ring.written();
    u32 raised = 0;
    while (raised < 2 * storm_window && interrupts().storms() == storms) {
        bound.raise();
        ++raised;
    }
    {
        sync::InterruptGuard const off; // the pause does not end here
        ASSERT_EQ(interrupts().storms(), storms + 1);
        EXPECT_EQ(boot::current_kernel().log_ring.written(), logged + 1);
    }
    // It comes back after a while, goes on, and is silenced again without a further word.
    constexpr u32 enough = 10'000'000;
    while (raised < enough && interrupts().storms() == storms + 1) {
        bound.raise();
        ++raised;
    }
    EXPECT_EQ(interrupts().storms(), storms + 2);
    EXPECT_EQ(boot::current_kernel().log_ring.written(), logged + 1);
}

TEST(Interrupts, WhatCameBeforeIsNotTheNextOwnersStorm) {
    u64 const storms = interrupts().storms();
    Vector vector{};
    {
        Halves seen;
        seen.answer = Handling::not_mine;
        Bound const bound(seen);
        ASSERT_TRUE(bound.holds());
        vector = bound.vector();
        do {
            bound.raise();
        } while (taken(vector) % storm_window != storm_window - 1);
    }
    Halves seen;
    Bound const bound(seen);
    ASSERT_TRUE(bound.holds());
    ASSERT_EQ(bound.vector().value, vector.value); // the lowest that is free
    bound.raise();
    EXPECT_EQ(interrupts().storms(), storms);
    bound.raise();
    EXPECT_EQ(seen.first_halves.load(acquire), 2u);
}

TEST(Interrupts, MessagesAreRefusedForWhatDoesNotExist) {
    Halves seen;
    InterruptBinding const binding{.handler = first_half, .argument = &seen, .name = "message"};
    auto const made = interrupts().bind_message({}, binding);
    if (made) {
        EXPECT_NE(made.value().message.address.value, 0u);
        EXPECT_TRUE(interrupts().unbind(made.value().vector).has_value());
    } else {
        EXPECT_EQ(made.error(), Error::not_supported);
    }
    CpuId const nobody{CpuSet::cpus_max + 1};
    auto const refused = interrupts().bind_message(nobody, binding);
    EXPECT_FALSE(refused.has_value());
}

} // namespace
} // namespace twofold::processor
