// Which handler a vector leads to: binding, refusing, muting, and the way back.
#include "core/processor/interrupt_table.hpp"

#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::processor {
namespace {

using hal::Vector;
using Table = memory::Box<InterruptTable, memory::KernelHeap>;

constexpr hal::VectorRange range{.first = {40}, .count = 3};

Handling note(void* argument, hal::Interruption const&) {
    ++*static_cast<u32*>(argument);
    return Handling::handled;
}

/// What an interrupt of `vector` would do.
Handling take(InterruptTable const& table, Vector vector) {
    InterruptTable::Entry const& entry = table.entry(vector);
    return entry.handler(entry.argument, {.vector = vector, .frame = {}});
}

TEST(InterruptTable, RefusesWhatMakesNoSense) {
    auto table = Table::create(*boot::current_kernel().heap);
    ASSERT_TRUE(table.has_value());
    InterruptTable& vectors = *table.value();
    u32 count = 0;
    InterruptBinding const binding{.handler = note, .argument = &count, .name = "test"};
    EXPECT_EQ(vectors.bind({40}, binding).error(), Error::invalid_state);
    EXPECT_EQ(vectors.bind_any(binding).error(), Error::invalid_state);
    vectors.open(range, {255});
    EXPECT_EQ(vectors.bind({39}, binding).error(), Error::out_of_range);
    EXPECT_EQ(vectors.bind({43}, binding).error(), Error::out_of_range);
    EXPECT_EQ(vectors.bind({255}, binding).error(), Error::out_of_range); // the spurious one
    EXPECT_EQ(vectors.bind({40}, {}).error(), Error::invalid_argument);
    EXPECT_EQ(vectors.bind_any({}).error(), Error::invalid_argument);
    EXPECT_TRUE(vectors.bind({41}, binding).has_value());
    EXPECT_EQ(vectors.bind({41}, binding).error(), Error::already_exists);
    EXPECT_EQ(vectors.detach({40}).error(), Error::not_found);
}

TEST(InterruptTable, GivesOutWhatIsFree) {
    auto table = Table::create(*boot::current_kernel().heap);
    ASSERT_TRUE(table.has_value());
    InterruptTable& vectors = *table.value();
    vectors.open(range, {255});
    u32 count = 0;
    InterruptBinding const binding{.handler = note, .argument = &count, .name = "test"};
    EXPECT_TRUE(vectors.bind({41}, binding).has_value());
    EXPECT_EQ(vectors.bind_any(binding).value(), Vector{40});
    EXPECT_EQ(vectors.bind_any(binding).value(), Vector{42});
    EXPECT_EQ(vectors.bind_any(binding).error(), Error::no_space);
    EXPECT_TRUE(vectors.detach({41}).has_value());
    EXPECT_EQ(vectors.bind_any(binding).error(), Error::no_space); // somebody may still be in it
    vectors.release({41});
    EXPECT_EQ(vectors.bind_any(binding).value(), Vector{41});
}

TEST(InterruptTable, EveryVectorLeadsSomewhere) {
    auto table = Table::create(*boot::current_kernel().heap);
    ASSERT_TRUE(table.has_value());
    InterruptTable& vectors = *table.value();
    vectors.open(range, {255});
    u32 count = 0;
    EXPECT_TRUE(vectors.bind({40}, {.handler = note, .argument = &count, .name = "one"}));
    for (u32 i = 0; i < InterruptTable::vectors_max; ++i) {
        Vector const vector{static_cast<u8>(i)};
        Handling const expected = i == 40 || i == 255 ? Handling::handled : Handling::not_mine;
        EXPECT_EQ(take(vectors, vector), expected);
        EXPECT_EQ(vectors.entry(vector).is_acknowledged, i != 255);
    }
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(vectors.entry({255}).name, "spurious");
    EXPECT_EQ(vectors.entry({7}).name, "unexpected");
}

TEST(InterruptTable, MutedVectorsAreTakenAndForgotten) {
    auto table = Table::create(*boot::current_kernel().heap);
    ASSERT_TRUE(table.has_value());
    InterruptTable& vectors = *table.value();
    vectors.open(range, {255});
    u32 count = 0;
    EXPECT_TRUE(vectors.bind({40}, {.handler = note, .argument = &count, .name = "one"}));
    vectors.mute({40});
    vectors.mute({41}); // not bound: nothing to mute
    EXPECT_EQ(take(vectors, {40}), Handling::handled);
    EXPECT_EQ(take(vectors, {41}), Handling::not_mine);
    EXPECT_EQ(count, 0u);
    EXPECT_EQ(vectors.bound_entry({40}).name, "one");
    vectors.unmute({40});
    EXPECT_EQ(take(vectors, {40}), Handling::handled);
    EXPECT_EQ(count, 1u);
    vectors.mute({40});
    EXPECT_TRUE(vectors.detach({40}).has_value());
    EXPECT_EQ(take(vectors, {40}), Handling::not_mine);
}

} // namespace
} // namespace twofold::processor
