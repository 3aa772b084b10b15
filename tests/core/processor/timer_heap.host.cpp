// The heap of deadlines against a multimap: the same order for a million random operations, sound
// links throughout; and the histogram against sorted values.
#include "core/processor/timer_heap.hpp"
#include "core/processor/histogram.hpp"
#include "core/processor/storm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::processor;

/// What a TimerHeap promises, as a multimap keeps it: equal keys in the order of insertion.
class Model {
public:
    using Place = std::multimap<i64, TimerNode*>::iterator;

    void add(TimerNode& node, i64 deadline) { m_places[&node] = m_order.emplace(deadline, &node); }
    void remove(TimerNode& node) {
        m_order.erase(m_places.at(&node));
        m_places.erase(&node);
    }
    TimerNode* first() const { return m_order.empty() ? nullptr : m_order.begin()->second; }
    usize size() const { return m_order.size(); }

private:
    std::multimap<i64, TimerNode*> m_order;
    std::map<TimerNode*, Place> m_places;
};

/// Deadlines close together, so that many are equal, and at the edges of their range.
i64 random_deadline(std::mt19937_64& random) {
    constexpr i64 edges[] = {
        std::numeric_limits<i64>::min(),
        -1,
        0,
        1,
        (i64{1} << 32) - 1,
        i64{1} << 32,
        (i64{1} << 32) + 1,
        std::numeric_limits<i64>::max() - 1,
        std::numeric_limits<i64>::max()};
    u64 const draw = random();
    return draw % 16 == 0 ? edges[random() % std::size(edges)]
                          : static_cast<i64>(draw >> 20) % 5000;
}

TEST(TimerHeap, EqualsAMultimapForAMillionOperations) {
    std::mt19937_64 random(20260401);
    std::deque<TimerNode> nodes(3000);
    TimerHeap heap;
    Model model;
    for (u32 step = 0; step < 1'000'000; ++step) {
        u64 const draw = random() % 100;
        TimerNode& node = nodes[random() % nodes.size()];
        if (node.is_queued() && draw < 60) { // cancelled
            heap.remove(node);
            model.remove(node);
        } else if (!node.is_queued() && draw < 75) {
            i64 const deadline = random_deadline(random);
            heap.add(node, {deadline});
            model.add(node, deadline);
        } else if (heap.first() != nullptr) { // expired
            TimerNode& first = *heap.first();
            heap.remove(first);
            model.remove(first);
        }
        ASSERT_EQ(heap.first(), model.first()) << "after step " << step;
        ASSERT_EQ(heap.size(), model.size());
        if (step % 1000 == 0) {
            ASSERT_TRUE(heap.is_sound()) << "after step " << step;
        }
    }
    while (TimerNode* const first = heap.first()) {
        ASSERT_EQ(first, model.first());
        heap.remove(*first);
        model.remove(*first);
    }
    EXPECT_EQ(model.size(), 0u);
    EXPECT_TRUE(heap.is_sound());
}

TEST(TimerHeap, EqualDeadlinesLeaveInTheOrderTheyCame) {
    std::deque<TimerNode> nodes(100);
    TimerHeap heap;
    for (TimerNode& node : nodes) {
        heap.add(node, {7});
    }
    heap.remove(nodes[50]);
    for (usize i = 0; i < nodes.size(); ++i) {
        if (i != 50) {
            ASSERT_EQ(heap.first(), &nodes[i]);
            heap.remove(nodes[i]);
        }
    }
    EXPECT_TRUE(heap.empty());
}

TEST(TimerHeap, AscendingThenDescendingStaysCheap) {
    // The shapes that a pairing heap is worst at: a list of children, and a chain.
    std::deque<TimerNode> nodes(20'000);
    TimerHeap heap;
    for (usize i = 0; i < nodes.size(); ++i) {
        heap.add(nodes[i], {static_cast<i64>(i)});
    }
    EXPECT_TRUE(heap.is_sound());
    for (usize i = nodes.size(); i > 0; --i) {
        heap.remove(nodes[i - 1]);
    }
    for (usize i = nodes.size(); i > 0; --i) {
        heap.add(nodes[i - 1], {static_cast<i64>(i)});
    }
    EXPECT_TRUE(heap.is_sound());
    for (usize i = 0; i < nodes.size(); ++i) {
        ASSERT_EQ(heap.first(), &nodes[i]);
        heap.remove(nodes[i]);
    }
}

TEST(Histogram, PercentilesAreWithinAStepOfTheSortedValues) {
    std::mt19937_64 random(7);
    for (unsigned bits : {5u, 12u, 24u, 39u}) {
        Histogram histogram;
        std::vector<u64> values;
        for (u32 i = 0; i < 20'000; ++i) {
            values.push_back(random() >> (64 - 1 - random() % bits));
            histogram.add(values.back());
        }
        std::sort(values.begin(), values.end());
        EXPECT_EQ(histogram.total(), values.size());
        EXPECT_EQ(histogram.max(), values.back());
        for (u32 const per_mille : {1u, 500u, 900u, 999u, 1000u}) {
            usize const rank = (values.size() * per_mille + 999) / 1000;
            u64 const exact = values[std::max<usize>(rank, 1) - 1];
            EXPECT_GE(histogram.percentile(per_mille), exact);
            EXPECT_LE(histogram.percentile(per_mille), exact + exact / 15 + 1);
        }
    }
}

TEST(Histogram, EmptyAndBeyondItsRange) {
    Histogram histogram;
    EXPECT_EQ(histogram.percentile(500), 0u);
    histogram.add(~u64{0});
    EXPECT_EQ(histogram.max(), ~u64{0});
    EXPECT_EQ(histogram.percentile(500), Histogram::value_max);
    Histogram other;
    other.add(3);
    other.add(histogram);
    EXPECT_EQ(other.total(), 2u);
    EXPECT_EQ(other.percentile(500), 3u);
}

TEST(Storm, VerdictsAtTheirBounds) {
    Nanos const calm = storm_window_min;
    EXPECT_EQ(judge_window(0, calm), Storm::none);
    EXPECT_EQ(judge_window(0, calm - Nanos{1}), Storm::too_often);
    EXPECT_EQ(judge_window(storm_unhandled_max, calm), Storm::none);
    EXPECT_EQ(judge_window(storm_unhandled_max + 1, calm), Storm::unhandled);
    EXPECT_EQ(judge_window(storm_window, Nanos{0}), Storm::unhandled);
}

TEST(Storm, PausesDoubleUpToABound) {
    Nanos pause{};
    Nanos total{};
    for (int i = 0; i < 20; ++i) {
        Nanos const next = next_storm_pause(pause);
        EXPECT_GE(next, pause);
        EXPECT_LE(next, storm_pause_max);
        pause = next;
        total = total + next;
    }
    EXPECT_EQ(next_storm_pause({}), storm_pause_first);
    EXPECT_EQ(pause, storm_pause_max);
}

} // namespace
