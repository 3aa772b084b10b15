// Words in messages: what is shown of them, and what somebody may have meant.
#include "sim/words/words.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::sim;

TEST(Words, AreShownOnOneShortLine) {
    EXPECT_EQ(shown("heap"), "'heap'");
    EXPECT_EQ(shown(""), "''");
    EXPECT_EQ(shown("a\nb\x1b[1m\xc3\xa9!"), "'a?b?[1m?\?!'");
    EXPECT_EQ(shown(std::string(1000, 'x')), "'" + std::string(60, 'x') + "...'");
    EXPECT_EQ(one_line("a\nb\tc"), "a?b?c");
}

TEST(Words, TheNearestNameIsWhatWasMeant) {
    constexpr std::string_view names[] = {
        "interrupt.late", "interrupt.lost", "cpu.slow", "at", "points.heap.commit"};
    EXPECT_EQ(nearest("interrupt.lat", names), "interrupt.late");
    EXPECT_EQ(nearest("interrupt.lots", names), "interrupt.lost");
    EXPECT_EQ(nearest("interupt.losst", names), "interrupt.lost");
    EXPECT_EQ(nearest("cpu.solw", names), "cpu.slow");
    EXPECT_EQ(nearest("cpu.slow", names), "cpu.slow");
    EXPECT_EQ(nearest("ta", names), "at");
    EXPECT_EQ(nearest("a", names), "at");
    EXPECT_EQ(nearest("heap", names), std::nullopt);
    EXPECT_EQ(nearest("", names), std::nullopt);
    EXPECT_EQ(nearest(std::string(100'000, 'a'), names), std::nullopt);
    constexpr std::string_view long_name[] = {
        "a name that is a good deal longer than anybody would want one to be"};
    EXPECT_EQ(nearest("a name", long_name), std::nullopt);
}

TEST(Words, WhatIsUnknownIsAnsweredByWhatThereIs) {
    constexpr std::string_view names[] = {"heap", "pools"};
    EXPECT_EQ(
        unknown("workload", "haep", names), "the workload 'haep' is unknown; did you mean heap?");
    EXPECT_EQ(
        unknown("workload", "disk", names),
        "the workload 'disk' is unknown; there are heap, pools");
}

} // namespace
