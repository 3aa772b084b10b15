// The counter of instructions counts: the same code takes the same number, and a loop as many as it
// turns.
#include "tests/support/instructions.hpp"

#include <gtest/gtest.h>

namespace twofold::bench {
namespace {

unsigned long of_loop(unsigned turns) {
    unsigned volatile left = turns;
    return count_instructions([&] {
        while (left != 0) {
            left = left - 1;
        }
    });
}

TEST(Instructions, AreCountedExactly) {
    unsigned long const ten = of_loop(10);
    unsigned long const twenty = of_loop(20);
    unsigned long const thirty = of_loop(30);
    EXPECT_GT(ten, 0u);
    EXPECT_EQ(of_loop(10), ten);
    EXPECT_GT(twenty, ten);
    EXPECT_EQ(thirty - twenty, twenty - ten);
    EXPECT_EQ((twenty - ten) % 10, 0u);
}

} // namespace
} // namespace twofold::bench
