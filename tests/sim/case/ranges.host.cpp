// Sets of numbers as text.
#include "sim/case/ranges.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using namespace twofold;
using namespace twofold::sim;

TEST(Ranges, AreReadAndPrinted) {
    struct Pair {
        std::string text;
        std::string printed;
    };
    Pair const pairs[] = {
        {"", ""},
        {"0", "0"},
        {"0-5,9", "0-5,9"},
        {"9,0-5", "0-5,9"},
        {"1,2,3", "1-3"},
        {"0-5,3-9,4", "0-9"},
        {"5-5", "5"},
        {"18446744073709551615,18446744073709551614", "18446744073709551614-18446744073709551615"},
        {"0-18446744073709551615,7", "0-18446744073709551615"}};
    for (Pair const& pair : pairs) {
        std::optional<Ranges> const ranges = Ranges::parse(pair.text);
        ASSERT_TRUE(ranges.has_value()) << pair.text;
        EXPECT_EQ(ranges->text(), pair.printed) << pair.text;
        EXPECT_EQ(Ranges::parse(ranges->text()), ranges) << pair.text;
    }
    for (std::string const text :
         {"a", "1-", "-1", "1,", ",1", "1,,2", "5-3", "1 ", " 1", "1-2-3", "+1", "0x1",
          "18446744073709551616", "1;2"}) {
        EXPECT_FALSE(Ranges::parse(text).has_value()) << text;
    }
}

TEST(Ranges, HoldWhatASetHolds) {
    Random random(5);
    for (u32 round = 0; round < 200; ++round) {
        std::set<u64> model;
        std::string text;
        for (u64 i = random.below(8); i > 0; --i) {
            u64 const first = random.below(50);
            u64 const last = first + random.below(6);
            text += (text.empty() ? "" : ",") + text_of(Range{first, last});
            for (u64 number = first; number <= last; ++number) {
                model.insert(number);
            }
        }
        std::optional<Ranges> const ranges = Ranges::parse(text);
        ASSERT_TRUE(ranges.has_value()) << text;
        EXPECT_EQ(ranges->count(), model.size()) << text;
        EXPECT_EQ(ranges->is_empty(), model.empty()) << text;
        for (u64 number = 0; number < 60; ++number) {
            ASSERT_EQ(ranges->contains(number), model.contains(number)) << text << ": " << number;
        }
        for (usize i = 1; i < ranges->all().size(); ++i) {
            EXPECT_GT(ranges->all()[i].first, ranges->all()[i - 1].last + 1) << text;
        }
    }
    EXPECT_EQ(Ranges::below(4).text(), "0-3");
    EXPECT_EQ(Ranges::below(0), Ranges());
}

} // namespace
