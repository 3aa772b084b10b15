// Switching between stacks.
#include "hal/context.hpp"

#include "hal/conformance/page_tables.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

struct PingPong {
    hal::Context caller;
    hal::Context callee;
    u64 received = 0;
    u64 rounds = 0;
    bool stack_is_aligned = false;
};

void count_for_ever(void* argument) {
    auto& game = *static_cast<PingPong*>(argument);
    alignas(16) u64 volatile marker = 0x1234;
    game.stack_is_aligned = reinterpret_cast<u64>(&marker) % 16 == 0;
    while (true) {
        ++game.rounds;
        game.received += marker;
        hal::Context::switch_between(game.callee, game.caller);
    }
}

std::span<std::byte> new_stack() {
    constexpr Bytes size{16384};
    auto const frames = boot::current_kernel().frames->allocate({.pages = size / page_size});
    CHECK(frames.has_value());
    return {hal::Memory::linear(frames.value()), size.value};
}

} // namespace

TEST(Context, RunsTheEntryWithItsArgumentOnItsOwnStack) {
    PingPong game;
    game.callee.create(new_stack(), count_for_ever, &game);
    EXPECT_EQ(game.rounds, 0u);
    hal::Context::switch_between(game.caller, game.callee);
    EXPECT_EQ(game.rounds, 1u);
    EXPECT_EQ(game.received, 0x1234u);
    EXPECT_TRUE(game.stack_is_aligned);
}

TEST(Context, KeepsBothSidesThroughManySwitches) {
    PingPong game;
    game.callee.create(new_stack(), count_for_ever, &game);
    u64 mine = 1;
    for (u64 i = 1; i <= 1000; ++i) {
        hal::Context::switch_between(game.caller, game.callee);
        mine = mine * 3 + i;
        ASSERT_EQ(game.rounds, i);
    }
    u64 expected = 1;
    for (u64 i = 1; i <= 1000; ++i) {
        expected = expected * 3 + i;
    }
    EXPECT_EQ(mine, expected);
    EXPECT_EQ(game.received, 0x1234u * 1000);
}

TEST(Context, TwoContextsOfOneEntryDoNotMix) {
    PingPong first;
    PingPong second;
    first.callee.create(new_stack(), count_for_ever, &first);
    second.callee.create(new_stack(), count_for_ever, &second);
    for (u64 i = 0; i < 10; ++i) {
        hal::Context::switch_between(first.caller, first.callee);
        hal::Context::switch_between(second.caller, second.callee);
        hal::Context::switch_between(second.caller, second.callee);
    }
    EXPECT_EQ(first.rounds, 10u);
    EXPECT_EQ(second.rounds, 20u);
}
