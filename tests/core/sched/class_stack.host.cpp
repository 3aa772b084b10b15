// ClassStack by example: what its parameters say, what is refused, kept and charged.
#include "core/sched/class_stack.hpp"
#include "core/sched/edf.hpp"
#include "core/sched/eevdf.hpp"
#include "core/sched/realtime.hpp"
#include "core/sched/stride.hpp"

#include <gtest/gtest.h>

#include <array>

namespace {

using namespace twofold;
using namespace twofold::sched;

using Three = ClassStack<Edf, Fifo, Eevdf>;
static_assert(sizeof(Three::Entity) <= 288, "it lies in every thread");
static_assert(sizeof(Three::Parameters) <= 32);

TEST(ClassStack, ParametersSayTheirClass) {
    auto parameters = Three::Parameters::of<Fifo>({.priority = 7});
    EXPECT_EQ(parameters.class_name(), "fifo");
    EXPECT_EQ(parameters.class_index(), 1u);
    EXPECT_TRUE(parameters.is<Fifo>());
    EXPECT_EQ(parameters.get<Fifo>().priority, 7u);
    parameters = Three::Parameters::of<Eevdf>({.weight = 3});
    EXPECT_EQ(parameters.get<Eevdf>().weight, 3u);
    EXPECT_EQ(Three::Parameters().class_name(), "eevdf");
    EXPECT_EQ(Three::class_named("edf"), 0u);
    EXPECT_EQ(Three::class_named("cfs"), std::nullopt);
    EXPECT_EQ(Three::Parameters::of_class(0).get<Edf>().period, Nanos{10'000'000});
    EXPECT_EQ(
        Three::check(Three::Parameters::of<Fifo>({.priority = 64})).error(), Error::out_of_range);
}

TEST(ClassStack, StrongerByClassThenByItsOwnMeasure) {
    auto const edf = Three::Parameters::of<Edf>({});
    auto const low = Three::Parameters::of<Fifo>({.priority = 1});
    auto const high = Three::Parameters::of<Fifo>({.priority = 2});
    auto const fair = Three::Parameters::of<Eevdf>({.weight = 1u << 20});
    EXPECT_TRUE(Three::stronger(edf, high) && Three::stronger(high, low));
    EXPECT_TRUE(Three::stronger(low, fair) && !Three::stronger(fair, low));
    EXPECT_FALSE(Three::stronger(high, high));
}

TEST(ClassStack, ARefusedChangeChangesNothing) {
    Three stack;
    Three::Entity entity;
    auto const fair = Three::Parameters::of<Eevdf>({});
    auto const all = Three::Parameters::of<Edf>({Nanos{1'000'000}, Nanos{1'000'000}});
    ASSERT_TRUE(stack.admit(entity, fair, {}).has_value());
    stack.wake(entity, {});
    EXPECT_EQ(stack.change(entity, all, {}).error(), Error::no_space);
    EXPECT_EQ(entity.class_name(), "eevdf");
    EXPECT_EQ(stack.in<Edf>().given(), 0u);
    ASSERT_EQ(stack.pick({}).entity, &entity);
    EXPECT_EQ(stack.change(entity, all, {}).error(), Error::no_space);
    EXPECT_EQ(stack.in<Eevdf>().current(), &entity.in<Eevdf>());
    stack.sleep({});
    stack.expel(entity, {});
}

TEST(ClassStack, ABudgetThatIsFilledIsNotOverslept) {
    Three stack;
    Three::Entity periodic;
    Three::Entity fair;
    auto const a_tenth = Three::Parameters::of<Edf>({Nanos{100'000}, Nanos{1'000'000}});
    ASSERT_TRUE(stack.admit(periodic, a_tenth, {}).has_value());
    ASSERT_TRUE(stack.admit(fair, Three::Parameters::of<Eevdf>({}), {}).has_value());
    stack.wake(periodic, {});
    stack.wake(fair, {});
    ASSERT_EQ(stack.pick({}).entity, &periodic);
    Nanos const used{100'000};
    stack.charge(used, used);
    stack.put_back(used); // it has no budget until 1 ms
    auto const choice = stack.pick(used);
    EXPECT_EQ(choice.entity, &fair);
    EXPECT_EQ(choice.slice, Nanos{900'000}); // of 3 ms
    EXPECT_FALSE(stack.preempts(periodic, used));
    EXPECT_TRUE(stack.preempts(periodic, Nanos{1'000'000}));
    stack.sleep(used);
    stack.cancel(periodic, used);
    stack.expel(periodic, used);
    stack.expel(fair, used);
}

TEST(ClassStack, ADetourShedsNoDebt) {
    Three stack;
    Three::Entity greedy;
    Three::Entity patient;
    auto const fair = Three::Parameters::of<Eevdf>({});
    for (Three::Entity* const entity : {&greedy, &patient}) {
        ASSERT_TRUE(stack.admit(*entity, fair, {}).has_value());
        stack.wake(*entity, {});
    }
    ASSERT_EQ(stack.pick({}).entity, &greedy);
    Nanos const now{3'000'000};
    stack.charge(now, now);
    ASSERT_TRUE(stack.change(greedy, Three::Parameters::of<Fifo>({}), now).has_value());
    EXPECT_EQ(stack.current(), &greedy);
    EXPECT_TRUE(stack.preempts(patient, now)) << "it is put back first, whoever is chosen then";
    stack.put_back(now);
    ASSERT_EQ(stack.pick(now).entity, &greedy);
    ASSERT_TRUE(stack.change(greedy, fair, now).has_value());
    stack.put_back(now);
    EXPECT_EQ(stack.in<Eevdf>().lag(greedy.in<Eevdf>()), Nanos{-1'500'000});
    ASSERT_EQ(stack.pick(now).entity, &patient);
    stack.sleep(now);
    stack.cancel(greedy, now);
    stack.expel(greedy, now);
    stack.expel(patient, now);
}

TEST(ClassStack, QueuesAreConstructedFromWhatTheyNeed) {
    using Stack = ClassStack<Edf, Stride>;
    std::array<StrideDescriptor, 2> places{};
    Stack stack(std::tuple(500u), std::tuple(std::span<StrideDescriptor>(places)));
    std::array<Stack::Entity, 3> entities;
    auto const too_much = Stack::Parameters::of<Edf>({Nanos{600'000}, Nanos{1'000'000}});
    auto const half = Stack::Parameters::of<Edf>({Nanos{500'000}, Nanos{1'000'000}});
    auto const shares = Stack::Parameters::of<Stride>({});
    EXPECT_EQ(stack.admit(entities[0], too_much, {}).error(), Error::no_space);
    ASSERT_TRUE(stack.admit(entities[0], half, {}).has_value());
    ASSERT_TRUE(stack.admit(entities[1], shares, {}).has_value());
    ASSERT_TRUE(stack.admit(entities[2], shares, {}).has_value());
    EXPECT_EQ(stack.change(entities[0], shares, {}).error(), Error::no_space) << "two places";
    EXPECT_EQ(entities[0].class_name(), "edf");
    for (Stack::Entity& entity : entities) {
        stack.expel(entity, {});
    }
}

} // namespace
