// Interrupt controllers: that each interrupt comes once, to whom it is meant for, and not before it
// may; and that what makes no sense is refused.
#include "hal/conformance/interrupt_support.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using conformance::comes_true;
using conformance::Handler;
using hal::Controller;
using hal::Interrupt;
using hal::InterruptState;

namespace {

/// The vector that comes before all others, of those that can be bound.
hal::Vector most_urgent() {
    hal::VectorRange const range = Controller::vectors();
    auto last = static_cast<u8>(range.first.value + range.count - 1);
    return {hal::Vector{last} == hal::Clock::vector() ? static_cast<u8>(last - 1) : last};
}

struct Nesting {
    hal::Vector inner;
    u32 depth = 0;
    u32 depth_max = 0;
    InterruptState inside = InterruptState::enabled;
};

void note_depth(void* argument, hal::Interruption const&) {
    auto& nesting = *static_cast<Nesting*>(argument);
    ++nesting.depth;
    nesting.depth_max = nesting.depth > nesting.depth_max ? nesting.depth : nesting.depth_max;
    --nesting.depth;
}

/// Lets the inner one come while this one is being handled.
void be_interrupted(void* argument, hal::Interruption const&) {
    auto& nesting = *static_cast<Nesting*>(argument);
    ++nesting.depth;
    nesting.inside = Interrupt::state();
    Controller::send(hal::Cpu::id(), nesting.inner);
    Interrupt::restore(InterruptState::enabled);
    comes_true([&] { return nesting.depth_max > 1; });
    Interrupt::disable();
    --nesting.depth;
}

} // namespace

TEST(Controller, SaysWhatItIs) {
    ASSERT_TRUE(conformance::interrupts().is_open());
    EXPECT_FALSE(Controller::kind().empty());
    hal::VectorRange const range = Controller::vectors();
    EXPECT_GE(range.count, 32u);
    EXPECT_LE(range.first.value + range.count, 256u);
    EXPECT_TRUE(range.contains(hal::Clock::vector()));
    EXPECT_FALSE(range.contains(Controller::spurious()));
}

TEST(Controller, AnInterruptToOneselfComes) {
    hal::Interruption seen{};
    Handler const handler(
        [](void* to, hal::Interruption const& interruption) {
            *static_cast<hal::Interruption*>(to) = interruption;
        },
        &seen);
    for (u32 round = 1; round <= 1000; ++round) {
        Controller::send(hal::Cpu::id(), handler.vector());
        ASSERT_TRUE(comes_true([&] { return handler.count() == round; }));
    }
    EXPECT_EQ(seen.vector, handler.vector());
    EXPECT_NE(seen.frame.instruction, 0u);
    EXPECT_NE(seen.frame.frame_pointer, 0u);
}

TEST(Controller, OneThatIsHeldBackComesLaterAndOnce) {
    Handler const handler(nullptr, nullptr);
    InterruptState const before = Interrupt::disable();
    EXPECT_FALSE(Controller::is_pending(handler.vector()));
    for (unsigned i = 0; i < 3; ++i) {
        Controller::send(hal::Cpu::id(), handler.vector());
        Interrupt::poll();
    }
    EXPECT_TRUE(comes_true([&] { return Controller::is_pending(handler.vector()); }));
    EXPECT_EQ(handler.count(), 0u);
    Interrupt::restore(before);
    EXPECT_TRUE(comes_true([&] { return handler.count() != 0; }));
    EXPECT_FALSE(Controller::is_pending(handler.vector()));
    conformance::spend({100'000});
    EXPECT_EQ(handler.count(), 1u);
}

TEST(Controller, TwoThatAreHeldBackBothCome) {
    Handler const first(nullptr, nullptr);
    Handler const second(nullptr, nullptr);
    InterruptState const before = Interrupt::disable();
    Controller::send(hal::Cpu::id(), first.vector());
    Controller::send(hal::Cpu::id(), second.vector());
    Interrupt::restore(before);
    EXPECT_TRUE(comes_true([&] { return first.count() == 1 && second.count() == 1; }));
}

TEST(Controller, AHandlerCanBeInterrupted) {
    Nesting nesting;
    Handler const inner(note_depth, &nesting, most_urgent());
    Handler const outer(be_interrupted, &nesting);
    nesting.inner = inner.vector();
    for (u32 round = 1; round <= 100; ++round) {
        nesting.depth_max = 0;
        Controller::send(hal::Cpu::id(), outer.vector());
        ASSERT_TRUE(comes_true([&] { return outer.count() == round; }));
        ASSERT_EQ(nesting.depth_max, 2u);
    }
    EXPECT_EQ(inner.count(), 100u);
    EXPECT_EQ(nesting.depth, 0u);
    EXPECT_EQ(nesting.inside, InterruptState::disabled);
}

TEST(Controller, OneRaisedByItsOwnHandlerComesAgain) {
    struct Again {
        hal::Vector vector;
        u32 left = 10;
    } again;
    Handler const handler(
        [](void* argument, hal::Interruption const& interruption) {
            auto& state = *static_cast<Again*>(argument);
            if (state.left > 0) {
                --state.left;
                Controller::send(hal::Cpu::id(), interruption.vector);
            }
        },
        &again);
    Controller::send(hal::Cpu::id(), handler.vector());
    EXPECT_TRUE(comes_true([&] { return handler.count() == 11; }));
}

TEST(Controller, EveryProcessorCanBeInterrupted) {
    Handler const handler(nullptr, nullptr);
    u32 expected = 0;
    u32 sent = 0;
    conformance::for_each_other([&](CpuId cpu) {
        for (unsigned round = 0; round < 100; ++round) {
            Controller::send(cpu, handler.vector());
            EXPECT_TRUE(comes_true([&] { return handler.count() == sent + 1; }));
            ++sent;
        }
        expected |= u32{1} << (cpu.value % 32);
    });
    EXPECT_EQ(handler.count(), sent);
    EXPECT_EQ(handler.processors(), expected);
}

TEST(Controller, ANonMaskableInterruptReachesWhoeverDisablesAllOthers) {
    struct Target {
        Atomic<u32> is_waiting{0};
        Atomic<u32> is_done{0};
        bool was_interrupted = false;
    };
    conformance::for_each_other([](CpuId cpu) {
        Target target;
        auto const wait = [](void* argument) {
            auto& self = *static_cast<Target*>(argument);
            auto const fault = boot::catch_fault([&self] {
                self.is_waiting.store(1, release);
                while (self.is_done.load(acquire) == 0) {
                    hal::Cpu::pause();
                }
            });
            self.was_interrupted = fault.has_value() && fault->kind == hal::FaultKind::non_maskable;
            self.is_done.store(2, release);
        };
        ASSERT_TRUE(boot::current_kernel().cpus.post(cpu, wait, &target).has_value());
        ASSERT_TRUE(comes_true([&] { return target.is_waiting.load(acquire) != 0; }));
        bool const exists = Controller::send_non_maskable(cpu);
        if (!exists) {
            target.is_done.store(1, release);
        }
        EXPECT_TRUE(comes_true([&] { return target.is_done.load(acquire) == 2; }));
        EXPECT_EQ(target.was_interrupted, exists);
    });
}

TEST(Controller, LinesThatDoNotExistAreRefused) {
    Handler const handler(nullptr, nullptr);
    for (u32 const line : {Controller::lines(), Controller::lines() + 1, ~u32{0}}) {
        EXPECT_EQ(
            Controller::route({line}, {.vector = handler.vector(), .target = {0}}).error(),
            Error::out_of_range);
        EXPECT_EQ(Controller::mask({line}).error(), Error::out_of_range);
        EXPECT_EQ(Controller::unmask({line}).error(), Error::out_of_range);
    }
}

TEST(Controller, VectorsThatAreNotGivenOutAreRefused) {
    for (hal::Vector const vector :
         {hal::Vector{0}, hal::Vector{31}, Controller::spurious(), hal::Clock::vector()}) {
        EXPECT_EQ(Controller::message({0}, vector).error(), Error::invalid_argument);
    }
    EXPECT_EQ(
        Controller::message({hal::Processors::count_max()}, most_urgent()).error(),
        Error::out_of_range);
}

TEST(Controller, AMessageLeadsToEveryProcessorByItself) {
    hal::Vector const vector = most_urgent();
    auto const own = Controller::message(hal::Cpu::id(), vector);
    if (!own) {
        EXPECT_EQ(own.error(), Error::not_supported);
        return;
    }
    conformance::for_each_other([&](CpuId cpu) {
        auto const other = Controller::message(cpu, vector);
        ASSERT_TRUE(other.has_value());
        EXPECT_TRUE(
            other.value().address != own.value().address || other.value().data != own.value().data);
    });
}
