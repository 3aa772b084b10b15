// The classes of the kernel: names, defaults, nice values, who goes before whom, what is lent under
// `edf`, and how inference, batch and idle work share what interactive work leaves.
#include "core/sched/sched.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

using Stack = KernelClasses;
using Parameters = Stack::Parameters;

TEST(KernelClasses, AreFoundByNameWithParametersThatAreTaken) {
    constexpr std::string_view names[] = {"edf",   "fifo",      "rr",   "stride",
                                          "eevdf", "inference", "batch"};
    static_assert(std::size(names) == Stack::classes);
    for (usize index = 0; index < std::size(names); ++index) {
        auto const parameters = parameters_named(names[index]);
        ASSERT_TRUE(parameters.has_value()) << names[index];
        EXPECT_EQ(parameters->class_index(), index);
        EXPECT_EQ(parameters->class_name(), names[index]);
        Stack stack;
        Stack::Entity entity;
        ASSERT_TRUE(stack.admit(entity, *parameters, {}).has_value());
        stack.wake(entity, {});
        EXPECT_EQ(stack.pick({}).entity, &entity) << names[index];
        stack.sleep({});
        stack.expel(entity, {});
    }
    EXPECT_FALSE(parameters_named("cfs").has_value());
    EXPECT_FALSE(parameters_named("").has_value());
}

TEST(KernelClasses, ANiceStepIsAQuarter) {
    for (i32 nice = nice_min; nice <= nice_max; ++nice) {
        double const ideal = 1024 / std::pow(1.25, nice);
        EXPECT_NEAR(weight_of_nice(nice).value(), ideal, 0.022 * ideal + 0.5) << nice;
    }
    EXPECT_EQ(weight_of_nice(-21).error(), Error::out_of_range);
    EXPECT_EQ(weight_of_nice(20).error(), Error::out_of_range);
    EXPECT_EQ(weight_of_nice(0).value(), EevdfParameters().weight);
}

TEST(KernelClasses, StrongerIsAStrictOrderOverAllOfThem) {
    std::vector<Parameters> const order{
        Parameters::of<Edf>({.period = Nanos{5'000'000}}),
        Parameters::of<Edf>({}),
        Parameters::of<Fifo>({.priority = 63}),
        Parameters::of<Fifo>({}),
        Parameters::of<RoundRobin>({.priority = 63}),
        Parameters::of<KernelStride>({.tickets = 2000}),
        Parameters::of<KernelStride>({}),
        Parameters::of<Eevdf>({.weight = 2000}),
        Parameters::of<Eevdf>({}),
        Parameters::of<Inference>({.bound = Nanos{20'000'000}}),
        Parameters::of<Inference>({}),
        Parameters::of<Inference>({.kind = InferenceKind::training}),
        Parameters::of<Batch>({.weight = 2}),
        Parameters::of<Batch>({}),
        Parameters::of<Batch>({.weight = 2, .is_idle = true})};
    for (usize a = 0; a < order.size(); ++a) {
        for (usize b = 0; b < order.size(); ++b) {
            EXPECT_EQ(Stack::stronger(order[a], order[b]), a < b) << a << " and " << b;
        }
    }
}

TEST(KernelClasses, WhatIsLentUnderEdfIsNotCounted) {
    Stack stack;
    Stack::Entity holder;
    Stack::Entity periodic;
    auto const fair = Parameters::of<Eevdf>({});
    auto const most = Parameters::of<Edf>({Nanos{900'000}, Nanos{1'000'000}});
    auto lent = most;
    lent.get<Edf>().is_lent = true;
    EXPECT_TRUE(Stack::is_bound_to_queue(most));
    EXPECT_TRUE(Stack::is_bound_to_queue(lent)) << "who borrows may have a guarantee of its own";
    EXPECT_FALSE(Stack::is_bound_to_queue(fair));
    ASSERT_TRUE(stack.admit(periodic, most, {}).has_value());
    ASSERT_TRUE(stack.admit(holder, fair, {}).has_value());
    EXPECT_EQ(stack.change(holder, most, {}).error(), Error::no_space);
    u64 const given = stack.in<Edf>().given();
    ASSERT_TRUE(stack.change(holder, lent, {}).has_value());
    EXPECT_EQ(stack.in<Edf>().given(), given);
    stack.wake(holder, {});
    EXPECT_EQ(stack.pick({}).entity, &holder);
    stack.sleep({});
    ASSERT_TRUE(stack.change(holder, fair, {}).has_value());
    EXPECT_EQ(stack.in<Edf>().given(), given);
    // Who is periodic itself keeps what was guaranteed to it meanwhile.
    auto sooner = Parameters::of<Edf>({Nanos{90'000}, Nanos{100'000}, true});
    ASSERT_TRUE(stack.change(periodic, sooner, {}).has_value());
    EXPECT_EQ(stack.change(holder, most, {}).error(), Error::no_space);
    ASSERT_TRUE(stack.change(periodic, most, {}).has_value());
    EXPECT_EQ(stack.in<Edf>().given(), given);
    stack.expel(holder, {});
    stack.expel(periodic, {});
}

/// Wakes all of them, and lets each that is chosen end at once: the order in which they come.
std::vector<usize> order_of(Stack& stack, std::span<Stack::Entity> entities, Nanos now) {
    std::vector<usize> order;
    while (stack.runnable() != 0) {
        Stack::Entity* const entity = stack.pick(now).entity;
        order.push_back(static_cast<usize>(entity - entities.data()));
        stack.sleep(now);
    }
    return order;
}

TEST(KernelClasses, InferenceGoesBeforeThroughputOnlyWhenItMust) {
    Stack stack;
    Stack::Entity entities[5];
    Parameters const parameters[] = {
        Parameters::of<Batch>({.is_idle = true}),
        Parameters::of<Inference>({.kind = InferenceKind::training}),
        Parameters::of<Inference>({.bound = Nanos{20'000'000}, .estimate = Nanos{1'000'000}}),
        Parameters::of<Batch>({}), Parameters::of<Eevdf>({})};
    auto const wake_all = [&](Nanos now) {
        for (Stack::Entity& entity : entities) {
            stack.wake(entity, now);
        }
    };
    for (usize index = 0; index < 5; ++index) {
        ASSERT_TRUE(stack.admit(entities[index], parameters[index], {}).has_value());
    }
    wake_all({});
    EXPECT_EQ(order_of(stack, entities, {}), (std::vector<usize>{4, 3, 2, 1, 0}));
    wake_all({});
    Nanos const urgent = Nanos{19'000'000} - Inference::margin;
    EXPECT_EQ(order_of(stack, entities, urgent), (std::vector<usize>{4, 2, 3, 1, 0}));
    // Throughput runs until then, and no longer.
    stack.wake(entities[3], {});
    EXPECT_EQ(stack.pick({}).slice, BatchParameters().quantum);
    stack.wake(entities[2], {});
    EXPECT_TRUE(stack.preempts(entities[2], {})) << "its slice is too long now";
    stack.put_back({});
    auto const choice = stack.pick({});
    EXPECT_EQ(choice.entity, &entities[3]);
    EXPECT_EQ(choice.slice, urgent);
    EXPECT_FALSE(stack.preempts(entities[2], {}));
    EXPECT_TRUE(stack.preempts(entities[2], urgent));
    stack.sleep({});
    stack.cancel(entities[2], {});
    for (Stack::Entity& entity : entities) {
        stack.expel(entity, {});
    }
}

} // namespace
