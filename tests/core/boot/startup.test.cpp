// The start-up plan: its order, and the names of what cannot be reached.
#include "core/boot/startup.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using boot::StartupPlan;
using boot::Step;
using boot::StepState;

namespace {

Result<void> succeed(boot::Kernel&) {
    return {};
}

} // namespace

TEST(StartupPlan, FollowsRequirementsThenDeclaration) {
    Step const steps[] = {
        {"c", "", {"a", "b"}, succeed},
        {"b", "", {}, succeed},
        {"a", "", {"b"}, succeed},
        {"d", "", {}, succeed}};
    auto plan = StartupPlan::create(steps);
    ASSERT_TRUE(plan.has_value());
    constexpr u8 expected[] = {1, 2, 0, 3};
    ASSERT_EQ(plan.value().order().size(), std::size(expected));
    for (usize i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(plan.value().order()[i], expected[i]);
    }
}

TEST(StartupPlan, NamesACycleAndWhatWaitsForIt) {
    Step const steps[] = {
        {"a", "", {"b"}, succeed},
        {"b", "", {"a"}, succeed},
        {"c", "", {"b"}, succeed},
        {"d", "", {}, succeed}};
    auto plan = StartupPlan::create(steps);
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan.value().order().size(), 1u);
    EXPECT_EQ(plan.value().state(0), StepState::in_cycle);
    EXPECT_EQ(plan.value().state(1), StepState::in_cycle);
    EXPECT_EQ(plan.value().state(2), StepState::in_cycle);
    EXPECT_EQ(plan.value().missing_requirement(0), std::string_view("b"));
    EXPECT_FALSE(plan.value().is_complete());
}

TEST(StartupPlan, AStepThatRequiresItselfIsACycle) {
    Step const steps[] = {{"a", "", {"a"}, succeed}};
    auto plan = StartupPlan::create(steps);
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan.value().state(0), StepState::in_cycle);
}

TEST(StartupPlan, NamesAnUnknownRequirementAndWhatIsBehindIt) {
    Step const steps[] = {{"a", "", {"typo"}, succeed}, {"b", "", {"a"}, succeed}};
    auto plan = StartupPlan::create(steps);
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan.value().state(0), StepState::unknown_requirement);
    EXPECT_EQ(plan.value().state(1), StepState::blocked);
    EXPECT_EQ(plan.value().missing_requirement(0), std::string_view("typo"));
    EXPECT_EQ(plan.value().missing_requirement(1), std::string_view("a"));
}

TEST(StartupPlan, NamesADuplicate) {
    Step const steps[] = {{"a", "", {}, succeed}, {"a", "", {}, succeed}};
    auto plan = StartupPlan::create(steps);
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan.value().state(0), StepState::waiting);
    EXPECT_EQ(plan.value().state(1), StepState::duplicate);
    EXPECT_EQ(plan.value().order().size(), 1u);
}

TEST(StartupPlan, IsCompleteOnceEveryStepIsDone) {
    Step const steps[] = {{"a", "", {}, succeed}, {"b", "", {"a"}, succeed}};
    auto created = StartupPlan::create(steps);
    ASSERT_TRUE(created.has_value());
    StartupPlan& plan = created.value();
    EXPECT_TRUE(plan.is_ready(0));
    EXPECT_FALSE(plan.is_ready(1));
    plan.set_state(0, StepState::failed);
    EXPECT_FALSE(plan.is_ready(1));
    plan.set_state(0, StepState::done);
    EXPECT_TRUE(plan.is_ready(1));
    EXPECT_FALSE(plan.is_complete());
    plan.set_state(1, StepState::done);
    EXPECT_TRUE(plan.is_complete());
}

TEST(StartupPlan, RefusesMoreStepsThanItHolds) {
    Step many[StartupPlan::steps_max + 1]{};
    auto const plan = StartupPlan::create(many);
    ASSERT_FALSE(plan.has_value());
    EXPECT_EQ(plan.error(), Error::no_space);
}

TEST(StartupPlan, WithoutStepsIsComplete) {
    EXPECT_TRUE(StartupPlan{}.is_complete());
    EXPECT_TRUE(StartupPlan{}.order().empty());
}
