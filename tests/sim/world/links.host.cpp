// The link model: when frames arrive, in what order, and what becomes of them by chance, by a
// partition and by faults.
#include "sim/world/links.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace {

using namespace twofold;
using namespace twofold::sim;
using hosted::DeviceFault;

std::optional<u64> no_faults(DeviceFault, u32) {
    return std::nullopt;
}

constexpr Direction there{0, 1}, back{1, 0};

LinkPlan plan_of(LinkQuality const& usual) {
    return {.usual = usual, .special = {}, .partitions = {}};
}

TEST(Links, TakeLatencyJitterAndBandwidth) {
    Links links(plan_of({.latency_ns = 1000, .jitter_ns = 0, .bytes_per_s = 1'000'000'000}), 1);
    EXPECT_EQ(links.send(there, 100, 0, no_faults), std::vector<i64>{1100});
    EXPECT_EQ(links.send(there, 100, 0, no_faults), std::vector<i64>{1200}) << "behind the first";
    EXPECT_EQ(links.send(back, 100, 0, no_faults), std::vector<i64>{1100}) << "its own link";
    EXPECT_EQ(links.send(there, 100, 5000, no_faults), std::vector<i64>{6100});
}

TEST(Links, KeepTheirOrderUnderJitter) {
    Links links(plan_of({.latency_ns = 1000, .jitter_ns = 900, .bytes_per_s = 0}), 1);
    i64 last_ns = 0;
    bool varies = false;
    for (i64 now_ns = 0; now_ns < 1000; now_ns += 10) {
        i64 const at_ns = links.send(there, 1, now_ns, no_faults).at(0);
        EXPECT_GE(at_ns, std::max(last_ns, now_ns + 1000));
        EXPECT_LE(at_ns, std::max(last_ns, now_ns + 1900));
        varies = varies || at_ns - now_ns != 1000;
        last_ns = at_ns;
    }
    EXPECT_TRUE(varies);
}

TEST(Links, LoseDoubleAndReorderByChance) {
    Links links(
        plan_of(
            {.loss = 100'000,
             .duplication = 200'000,
             .reordering = 300'000,
             .reordering_ns = 5'000'000}),
        7);
    u64 twice = 0, never = 0, overtaken = 0;
    i64 last_ns = 0;
    for (i64 now_ns = 0; now_ns < 1'000'000'000; now_ns += 100'000) {
        auto const arrivals = links.send(there, 64, now_ns, no_faults);
        never += arrivals.empty() ? 1 : 0;
        twice += arrivals.size() == 2 ? 1 : 0;
        for (i64 const at_ns : arrivals) {
            EXPECT_GE(at_ns, now_ns + 50'000);
            overtaken += at_ns < last_ns ? 1 : 0;
            last_ns = std::max(last_ns, at_ns);
        }
    }
    LinkCounts const& counts = links.counts();
    EXPECT_EQ(counts.sent, 10'000u);
    EXPECT_EQ(counts.lost, never);
    EXPECT_EQ(counts.duplicated, twice);
    EXPECT_EQ(counts.arrivals, counts.sent - never + twice);
    EXPECT_NEAR(static_cast<double>(never), 1000, 150);
    EXPECT_NEAR(static_cast<double>(twice), 1800, 250);
    EXPECT_GT(overtaken, 1000u);
}

TEST(Links, AreCutAndHeal) {
    LinkPlan plan = plan_of({.latency_ns = 1000, .jitter_ns = 0, .bytes_per_s = 0});
    plan.partitions.push_back(Partition::between({0}, {1, 2}, 100, 200));
    plan.partitions.push_back({.cut = {{3, 0}}, .from_ns = 0, .until_ns = Partition::for_ever});
    Links links(plan, 1);
    EXPECT_EQ(links.send(there, 1, 99, no_faults).size(), 1u);
    EXPECT_EQ(links.send(there, 1, 100, no_faults).size(), 0u);
    EXPECT_EQ(links.send(back, 1, 199, no_faults).size(), 0u);
    EXPECT_EQ(links.send({1, 2}, 1, 150, no_faults).size(), 1u) << "the same side";
    EXPECT_EQ(links.send(there, 1, 200, no_faults).size(), 1u);
    EXPECT_EQ(links.send({3, 0}, 1, 1'000'000, no_faults).size(), 0u);
    EXPECT_EQ(links.send({0, 3}, 1, 1'000'000, no_faults).size(), 1u) << "one direction";
    EXPECT_EQ(links.counts().cut, 3u);
}

TEST(Links, AreWorseInOneDirection) {
    LinkPlan plan = plan_of({.latency_ns = 1000, .jitter_ns = 0, .bytes_per_s = 0});
    plan.special[back] = {.latency_ns = 300, .jitter_ns = 0, .bytes_per_s = 0, .loss = 1'000'000};
    EXPECT_EQ(plan.least_latency_ns(), 300u);
    Links links(plan, 1);
    EXPECT_EQ(links.send(there, 1, 0, no_faults).size(), 1u);
    EXPECT_EQ(links.send(back, 1, 0, no_faults).size(), 0u);
}

TEST(Links, ChancesOfOneLinkAreNotThoseOfAnother) {
    auto const run = [](u32 loss_there, Direction of) {
        LinkPlan plan = plan_of({.loss = 300'000});
        plan.special[there] = {.loss = loss_there};
        Links links(plan, 5);
        std::string pattern;
        for (i64 now_ns = 0; now_ns < 64'000'000; now_ns += 1'000'000) {
            auto const one = links.send(there, 1, now_ns, no_faults);
            auto const other = links.send(back, 1, now_ns, no_faults);
            pattern += (of == there ? one : other).empty() ? 'x' : '.';
        }
        return pattern;
    };
    EXPECT_EQ(run(0, back), run(900'000, back));
    EXPECT_NE(run(300'000, there), run(300'000, back));
}

TEST(Links, FaultsHappenWhereTheyAreAskedFor) {
    for (DeviceFault const wanted :
         {DeviceFault::link_lost, DeviceFault::link_late, DeviceFault::link_duplicated,
          DeviceFault::link_reordered, DeviceFault::link_partition}) {
        Links links(plan_of({.latency_ns = 1000, .jitter_ns = 0, .bytes_per_s = 0}), 1);
        u32 asked = 0;
        auto const second = [&](DeviceFault fault, u32 from) -> std::optional<u64> {
            EXPECT_EQ(from, 0u);
            return fault == wanted && ++asked == 2 ? std::optional<u64>(5000) : std::nullopt;
        };
        EXPECT_EQ(links.send(there, 1, 0, second), std::vector<i64>{1000});
        auto const hit = links.send(there, 1, 10, second);
        auto const after = links.send(there, 1, 20, second);
        switch (wanted) {
        case DeviceFault::link_lost:
            EXPECT_TRUE(hit.empty());
            EXPECT_EQ(after, std::vector<i64>{1020});
            break;
        case DeviceFault::link_late:
            EXPECT_EQ(hit, std::vector<i64>{6010});
            EXPECT_EQ(after, std::vector<i64>{6010}) << "what follows waits";
            break;
        case DeviceFault::link_duplicated:
            EXPECT_EQ(hit, (std::vector<i64>{1010, 1010}));
            break;
        case DeviceFault::link_reordered:
            EXPECT_EQ(hit, std::vector<i64>{6010});
            EXPECT_EQ(after, std::vector<i64>{1020}) << "and is overtaken";
            break;
        default:
            EXPECT_TRUE(hit.empty() && after.empty());
            EXPECT_TRUE(links.send(back, 1, 5009, no_faults).empty()) << "the pair is cut";
            EXPECT_EQ(links.send(there, 1, 5010, no_faults).size(), 1u) << "healed";
        }
    }
}

} // namespace
