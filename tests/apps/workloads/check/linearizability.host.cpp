// Histories that are linearizable and that are not, and all kinds of small ones against a checker
// that tries every order.
#include "tests/apps/workloads/check/specs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::workloads;

template<class Spec>
using History = std::vector<HistoryEntry<Spec>>;

template<class Spec>
LinearizabilityReport check(
    History<Spec> const& history, usize nodes = 10'000, typename Spec::State const& initial = {}) {
    std::vector<SearchNode<Spec>> memory(nodes);
    return check_linearizability<Spec>(history, initial, memory);
}

/// The entries that return, in their order; of several at one moment, the earlier first.
template<class Spec>
std::vector<usize> returns_of(History<Spec> const& history) {
    std::vector<usize> entries;
    for (usize i = 0; i < history.size(); ++i) {
        if (!history[i].is_pending()) {
            entries.push_back(i);
        }
    }
    std::ranges::sort(entries, {}, [&](usize i) { return std::pair(history[i].returned, i); });
    return entries;
}

/// How many return before the report's blocked entry.
template<class Spec>
usize explained_returns(History<Spec> const& history, LinearizabilityReport const& report) {
    std::vector<usize> const returns = returns_of<Spec>(history);
    return report.verdict == Linearizability::holds
               ? returns.size()
               : static_cast<usize>(std::ranges::find(returns, report.blocked) - returns.begin());
}

/// Whether the order of a report explains what it says it does.
template<class Spec>
void expect_explained(History<Spec> const& history, LinearizabilityReport const& report) {
    std::vector<usize> required = returns_of<Spec>(history);
    required.resize(explained_returns<Spec>(history, report));
    typename Spec::State state{};
    std::vector<bool> done(history.size());
    for (u8 const entry : report.explained()) {
        ASSERT_FALSE(done.at(entry)) << "nothing happens twice";
        for (usize other = 0; other < history.size(); ++other) {
            EXPECT_TRUE(done[other] || history[other].returned >= history[entry].called)
                << "what returned before has its effect before";
        }
        auto const result = Spec::apply(state, history[entry].op);
        bool const is_required = std::ranges::find(required, entry) != required.end();
        EXPECT_TRUE(!is_required || result == history[entry].result);
        done[entry] = true;
    }
    for (usize const entry : required) {
        EXPECT_TRUE(done[entry]) << "all that returned is explained";
    }
}

/// Tries every order, without memory of what it has seen. What is not among the first so many
/// returns is pending.
template<class Spec>
class EveryOrder {
public:
    EveryOrder(History<Spec> const& history, usize returns) {
        std::vector<usize> required = returns_of<Spec>(history);
        required.resize(returns);
        for (usize i = 0; i < history.size(); ++i) {
            m_history.push_back(history[i]);
            if (std::ranges::find(required, i) == required.end()) {
                m_history.back().returned = HistoryEntry<Spec>::never;
            }
        }
        m_done.resize(m_history.size());
    }

    bool explains(typename Spec::State const& state = {}) {
        bool is_whole = true;
        for (usize i = 0; i < m_history.size(); ++i) {
            is_whole = is_whole && (m_done[i] || m_history[i].is_pending());
        }
        for (usize i = 0; i < m_history.size() && !is_whole; ++i) {
            if (m_done[i] || !can_be_next(i)) {
                continue;
            }
            auto after = state;
            bool const is_right = Spec::apply(after, m_history[i].op) == m_history[i].result;
            if (is_right || m_history[i].is_pending()) {
                m_done[i] = true;
                is_whole = explains(after);
                m_done[i] = false;
            }
        }
        return is_whole;
    }

private:
    bool can_be_next(usize entry) const {
        for (usize other = 0; other < m_history.size(); ++other) {
            if (!m_done[other] && m_history[other].returned < m_history[entry].called) {
                return false;
            }
        }
        return true;
    }

    History<Spec> m_history;
    std::vector<bool> m_done;
};

/// Operations of few callers at moments of their own, with results that are those of some order, or
/// nearly.
template<class Spec>
History<Spec> draw_history(Random& random, auto const& draw_op) {
    History<Spec> history(1 + random.below(7));
    u64 const span = 1 + random.below(20);
    for (auto& entry : history) {
        entry.op = draw_op();
        entry.called = random.below(span);
        entry.returned = entry.called + random.below(6);
        if (random.below(10) == 0) {
            entry.returned = HistoryEntry<Spec>::never;
        }
    }
    // Each has its effect somewhere in its time; some results are wrong.
    std::vector<std::pair<u64, usize>> effects;
    for (usize i = 0; i < history.size(); ++i) {
        u64 const last = history[i].is_pending() ? span + 6 : history[i].returned;
        effects.emplace_back(random.between(history[i].called, last), i);
    }
    std::ranges::sort(effects);
    typename Spec::State state{};
    bool const has_mistake = random.below(2) == 0;
    for (auto const& [moment, entry] : effects) {
        history[entry].result = Spec::apply(state, history[entry].op);
        if (has_mistake && random.below(3) == 0) {
            history[entry].result =
                static_cast<typename Spec::Result>(random.below(sizeof(state) == 1 ? 2 : 4));
        }
    }
    return history;
}

template<class Spec>
void compare_with_every_order(u64 seed, auto const& draw_op) {
    Random random(seed);
    u32 violated = 0;
    constexpr u32 rounds = 1000;
    for (u32 round = 0; round < rounds; ++round) {
        auto const history = draw_history<Spec>(random, [&] { return draw_op(random); });
        LinearizabilityReport const report = check<Spec>(history, 1500);
        usize const returns = returns_of<Spec>(history).size();
        bool const holds = EveryOrder<Spec>(history, returns).explains();
        ASSERT_EQ(report.verdict, holds ? Linearizability::holds : Linearizability::violated)
            << "seed " << seed << ", round " << round;
        expect_explained<Spec>(history, report);
        if (!holds) {
            ++violated;
            usize const explained = explained_returns<Spec>(history, report);
            ASSERT_TRUE(report.is_exact);
            ASSERT_TRUE(EveryOrder<Spec>(history, explained).explains());
            ASSERT_FALSE(EveryOrder<Spec>(history, explained + 1).explains()) << "no further";
        }
        // Less memory changes no answer; it may take it away.
        auto const less = check<Spec>(history, 1 + random.below(20));
        ASSERT_TRUE(less.verdict == report.verdict || less.verdict == Linearizability::unknown);
        ASSERT_LE(less.nodes, 20u);
        expect_explained<Spec>(history, less);
        ASSERT_TRUE(!less.is_exact || less.blocked == report.blocked);
    }
    EXPECT_GT(violated, rounds / 10) << "both answers come";
    EXPECT_LT(violated, rounds * 9 / 10);
}

TEST(Linearizability, AgreesWithEveryOrderTried) {
    compare_with_every_order<RegisterSpec>(1, [](Random& random) {
        return RegisterSpec::Op{random.below(2) == 0, static_cast<u8>(random.below(3))};
    });
    auto const list_op = [](Random& random) {
        return static_cast<u8>(random.below(2) == 0 ? 0 : random.between(1, 3));
    };
    compare_with_every_order<QueueSpec>(
        2, [&](Random& random) { return QueueSpec::Op{list_op(random)}; });
    compare_with_every_order<StackSpec>(
        3, [&](Random& random) { return StackSpec::Op{list_op(random)}; });
    compare_with_every_order<LockSpec>(
        4, [](Random& random) { return LockSpec::Op{random.below(2) == 0}; });
}

TEST(Linearizability, ARegisterKeepsTheLastValue) {
    History<RegisterSpec> history = {
        {.op = {true, 1}, .result = 0, .called = 0, .returned = 10},
        {.op = {}, .result = 1, .called = 2, .returned = 4},
        {.op = {}, .result = 0, .called = 1, .returned = 5}};
    EXPECT_EQ(check<RegisterSpec>(history).verdict, Linearizability::holds);
    // New, and old again: the second read began after the first had seen the write.
    history[2].called = 5;
    history[2].returned = 6;
    LinearizabilityReport const report = check<RegisterSpec>(history);
    EXPECT_EQ(report.verdict, Linearizability::violated);
    EXPECT_EQ(report.blocked, 2u);
    EXPECT_EQ(report.order_length, 2u);
    EXPECT_EQ(check<RegisterSpec>({}).verdict, Linearizability::holds);
}

// The queues of Herlihy and Wing's figure 1: x is 1, y is 2.
TEST(Linearizability, AQueueKeepsTheOrder) {
    History<QueueSpec> const first = {
        {.op = {1}, .called = 0, .returned = 4},
        {.op = {2}, .called = 1, .returned = 5},
        {.op = {}, .result = 2, .called = 6, .returned = 8},
        {.op = {}, .result = 1, .called = 7, .returned = 9}};
    EXPECT_EQ(check<QueueSpec>(first).verdict, Linearizability::holds);
    History<QueueSpec> const second = {
        {.op = {1}, .called = 0, .returned = 1},
        {.op = {2}, .called = 2, .returned = 4},
        {.op = {}, .result = 2, .called = 3, .returned = 5}};
    LinearizabilityReport const report = check<QueueSpec>(second);
    EXPECT_EQ(report.verdict, Linearizability::violated);
    EXPECT_EQ(report.blocked, 2u);
    History<QueueSpec> const twice = {
        {.op = {2}, .called = 0, .returned = 1},
        {.op = {}, .result = 2, .called = 2, .returned = 4},
        {.op = {}, .result = 2, .called = 3, .returned = 5}};
    EXPECT_EQ(check<QueueSpec>(twice).verdict, Linearizability::violated);
}

TEST(Linearizability, AStackGivesTheNewest) {
    History<StackSpec> history = {
        {.op = {1}, .called = 0, .returned = 1},
        {.op = {2}, .called = 2, .returned = 3},
        {.op = {}, .result = 1, .called = 4, .returned = 5}};
    EXPECT_EQ(check<StackSpec>(history).verdict, Linearizability::violated);
    EXPECT_EQ(
        check<QueueSpec>({{.op = {1}, .called = 0, .returned = 1},
                          {.op = {2}, .called = 2, .returned = 3},
                          {.op = {}, .result = 1, .called = 4, .returned = 5}})
            .verdict,
        Linearizability::holds);
    // Another that is still at it may have taken the newest.
    history.push_back({.op = {}, .called = 1});
    LinearizabilityReport const report = check<StackSpec>(history);
    EXPECT_EQ(report.verdict, Linearizability::holds);
    EXPECT_EQ(report.order_length, 4u);
}

TEST(Linearizability, ALockHasOneHolder) {
    History<LockSpec> history = {
        {.op = {}, .result = true, .called = 0, .returned = 3},
        {.op = {}, .result = true, .called = 1, .returned = 4},
        {.op = {true}, .result = true, .called = 5, .returned = 6}};
    LinearizabilityReport const report = check<LockSpec>(history);
    EXPECT_EQ(report.verdict, Linearizability::violated);
    EXPECT_EQ(report.blocked, 1u) << "whichever was second, the later return shows it";
    history[2].called = 2;
    EXPECT_EQ(check<LockSpec>(history).verdict, Linearizability::holds);
}

TEST(Linearizability, TheStateInTheBeginningIsGiven) {
    History<RegisterSpec> const history = {{.op = {}, .result = 7, .called = 0, .returned = 1}};
    EXPECT_EQ(check<RegisterSpec>(history).verdict, Linearizability::violated);
    EXPECT_EQ(check<RegisterSpec>(history, 10, 7).verdict, Linearizability::holds);
}

TEST(Linearizability, LongHistoriesOfFewCallersTakeFewNodes) {
    // Four callers; each round's operations are all at the same time.
    constexpr u32 callers = 4;
    Random random(8);
    History<QueueSpec> history;
    QueueSpec::State state;
    for (u32 round = 0; round < history_max / callers; ++round) {
        for (u32 caller = 0; caller < callers; ++caller) {
            HistoryEntry<QueueSpec> entry;
            entry.op.added = state.size < 8 && random.below(2) == 0
                                 ? static_cast<u8>(random.between(1, 200))
                                 : QueueSpec::nothing;
            entry.result = QueueSpec::apply(state, entry.op);
            entry.called = u64{round} * 10;
            entry.returned = entry.called + 9;
            history.push_back(entry);
        }
        std::reverse(history.end() - callers, history.end());
    }
    ASSERT_EQ(history.size(), history_max);
    LinearizabilityReport const report = check<QueueSpec>(history);
    EXPECT_EQ(report.verdict, Linearizability::holds);
    EXPECT_EQ(report.order_length, history_max);
    EXPECT_LT(report.nodes, 2000u);
    expect_explained<QueueSpec>(history, report);
    // Nobody can have taken what was never there.
    for (auto entry = history.rbegin(); entry != history.rend(); ++entry) {
        if (entry->op.added == QueueSpec::nothing) {
            entry->result = 250;
            break;
        }
    }
    LinearizabilityReport const wrong = check<QueueSpec>(history);
    EXPECT_EQ(wrong.verdict, Linearizability::violated);
    EXPECT_EQ(history[wrong.blocked].result, 250);
    EXPECT_LT(wrong.nodes, 10'000u);
}

TEST(Linearizability, SaysSoWhereTheMemoryIsNotEnough) {
    // All at the same time: 2^16 sets of writes of the same value, and a read of another.
    History<RegisterSpec> history(17, {.op = {true, 1}, .called = 0, .returned = 100});
    history[16] = {.op = {}, .result = 2, .called = 0, .returned = 100};
    LinearizabilityReport const little = check<RegisterSpec>(history, 1000);
    EXPECT_EQ(little.verdict, Linearizability::unknown);
    EXPECT_EQ(little.nodes, 1000u);
    EXPECT_FALSE(little.is_exact);
    EXPECT_EQ(check<RegisterSpec>(history, 200'000).verdict, Linearizability::violated);
    EXPECT_EQ(check<RegisterSpec>(history, 1).verdict, Linearizability::unknown);
}

} // namespace
