// The interrupt flag.
#include "hal/interrupt.hpp"

#include "tests/support/test.hpp"

using namespace twofold;
using hal::Interrupt;
using hal::InterruptState;

TEST(Interrupt, DisablingNests) {
    InterruptState const outer = Interrupt::disable();
    EXPECT_EQ(Interrupt::state(), InterruptState::disabled);
    InterruptState const inner = Interrupt::disable();
    EXPECT_EQ(inner, InterruptState::disabled);
    Interrupt::restore(inner);
    EXPECT_EQ(Interrupt::state(), InterruptState::disabled);
    Interrupt::restore(outer);
    EXPECT_EQ(Interrupt::state(), outer);
}

TEST(Interrupt, RestoringDisabledKeepsThemDisabled) {
    InterruptState const before = Interrupt::disable();
    Interrupt::restore(InterruptState::disabled);
    EXPECT_EQ(Interrupt::state(), InterruptState::disabled);
    Interrupt::restore(before);
    EXPECT_EQ(Interrupt::state(), before);
}
