// The policy `stride`: its ring and its tree decide alike for ten million random events, in the
// order that a sorted list keeps; shares are as the tickets; sleeping earns nothing.
#include "core/sched/stride.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

using Tree = StrideQueue<StrideTree>;

constexpr usize members = 64;

/// The same events on both forms.
class Twins {
public:
    Twins() : m_ring(std::span(m_places)) {
        for (usize index = 0; index < members; ++index) {
            StrideParameters const parameters = any_parameters();
            EXPECT_TRUE(m_ring.admit(m_in_ring[index], parameters, m_now).has_value());
            EXPECT_TRUE(m_tree.admit(m_in_tree[index], parameters, m_now).has_value());
            m_asleep.push_back(index);
        }
    }
    ~Twins() {
        for (usize const index : m_waiting) {
            both([&](auto& queue, auto& of) { queue.cancel(of[index], m_now); });
        }
        for (usize index = 0; index < members; ++index) {
            both([&](auto& queue, auto& of) { queue.expel(of[index], m_now); });
        }
    }

    void step() {
        u64 const draw = m_random() % 20;
        if (draw < 3 && !m_asleep.empty()) {
            usize const index = take_any(m_asleep);
            both([&](auto& queue, auto& of) { queue.wake(of[index], m_now); });
            m_waiting.push_back(index);
        } else if (draw < 4 && !m_waiting.empty()) {
            StrideParameters const parameters = any_parameters();
            usize const index = m_waiting[m_random() % m_waiting.size()];
            both([&](auto& queue, auto& of) {
                ASSERT_TRUE(queue.change(of[index], parameters, m_now).has_value());
            });
        } else if (draw < 5 && !m_waiting.empty()) {
            usize const index = take_any(m_waiting);
            both([&](auto& queue, auto& of) { queue.cancel(of[index], m_now); });
            m_asleep.push_back(index);
        } else {
            decide();
        }
    }

private:
    StrideParameters any_parameters() {
        constexpr u32 tickets[] = {1, 15, 100, 1000, 1024, 1024, 1024, 88761, 1u << 20};
        return {
            .tickets = tickets[m_random() % std::size(tickets)],
            .quantum = Nanos{100'000 + static_cast<i64>(m_random() % 5'000'000)}};
    }
    usize take_any(std::vector<usize>& list) {
        std::swap(list[m_random() % list.size()], list.back());
        usize const found = list.back();
        list.pop_back();
        return found;
    }
    template<class Event>
    void both(Event const& event) {
        event(m_ring, m_in_ring);
        event(m_tree, m_in_tree);
    }

    void decide() {
        auto const ring = m_ring.pick(m_now);
        auto const tree = m_tree.pick(m_now);
        ASSERT_EQ(ring.entity == nullptr, tree.entity == nullptr);
        ASSERT_EQ(ring.entity == nullptr, m_waiting.empty());
        if (ring.entity == nullptr) {
            return;
        }
        auto const chosen = static_cast<usize>(ring.entity - m_in_ring.data());
        ASSERT_EQ(chosen, static_cast<usize>(tree.entity - m_in_tree.data()));
        ASSERT_EQ(ring.slice, tree.slice);
        std::erase(m_waiting, chosen);
        for (usize const other : m_waiting) { // nobody has less
            ASSERT_FALSE(m_ring.preempts(m_in_ring[other], m_now));
        }
        Nanos const used{1 + static_cast<i64>(m_random() % static_cast<u64>(ring.slice.value))};
        m_now = m_now + used;
        both([&](auto& queue, auto&) { queue.charge(used, m_now); });
        u64 const draw = m_random() % 8;
        if (draw == 0) {
            both([&](auto& queue, auto&) { queue.sleep(m_now); });
            m_asleep.push_back(chosen);
            return;
        }
        both([&](auto& queue, auto&) { draw == 1 ? queue.yield(m_now) : queue.put_back(m_now); });
        m_waiting.push_back(chosen);
    }

    std::mt19937_64 m_random{1995};
    std::array<StrideDescriptor, members> m_places{};
    std::array<StrideEntity, members> m_in_ring;
    std::array<StrideEntity, members> m_in_tree;
    Stride m_ring;
    Tree m_tree;
    std::vector<usize> m_asleep;
    std::vector<usize> m_waiting;
    Nanos m_now{};
};

TEST(Stride, RingAndTreeDecideAlike) {
    Twins twins;
    for (u64 step = 0; step < model_operations(); ++step) {
        twins.step();
        ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "step " << step;
    }
}

TEST(Stride, SharesDifferByOneQuantumAtMost) {
    constexpr u32 tickets[] = {1, 2, 3, 10, 100};
    constexpr Nanos quantum{1'000'000};
    std::array<StrideDescriptor, 8> places{};
    Stride queue{std::span(places)};
    std::deque<StrideEntity> entities;
    std::vector<i64> used(std::size(tickets));
    for (u32 const each : tickets) {
        StrideEntity& entity = entities.emplace_back();
        ASSERT_TRUE(queue.admit(entity, {.tickets = each, .quantum = quantum}, {}).has_value());
        queue.wake(entity, {});
    }
    Nanos now{};
    for (u32 turn = 0; turn < 50'000; ++turn) {
        StrideEntity* const entity = queue.pick(now).entity;
        now = now + quantum;
        queue.charge(quantum, now);
        queue.put_back(now);
        auto const index = static_cast<usize>(
            std::find_if(
                entities.begin(), entities.end(), [&](auto& each) { return &each == entity; }) -
            entities.begin());
        used[index] += quantum.value;
        for (usize a = 0; a < used.size(); ++a) {
            for (usize b = 0; b < used.size(); ++b) {
                double const more = static_cast<double>(used[a]) / tickets[a] -
                                    static_cast<double>(used[b]) / tickets[b];
                ASSERT_LE(more, static_cast<double>(quantum.value) / tickets[a] + 1) << turn;
            }
        }
    }
    for (StrideEntity& entity : entities) {
        queue.cancel(entity, now);
        queue.expel(entity, now);
    }
}

TEST(Stride, SleepingEarnsNothingAndADebtStays) {
    std::array<StrideDescriptor, 2> places{};
    Stride queue{std::span(places)};
    StrideEntity steady;
    StrideEntity sleeper;
    ASSERT_TRUE(queue.admit(steady, {}, {}).has_value());
    ASSERT_TRUE(queue.admit(sleeper, {}, {}).has_value());
    queue.wake(steady, {});
    Nanos const quantum{3'000'000};
    Nanos now{};
    for (u32 turn = 0; turn < 1000; ++turn) { // the other one sleeps
        ASSERT_EQ(queue.pick(now).entity, &steady);
        now = now + quantum;
        queue.charge(quantum, now);
        queue.put_back(now);
    }
    queue.wake(sleeper, now);
    u32 turns_of_sleeper = 0;
    for (u32 turn = 0; turn < 100; ++turn) {
        turns_of_sleeper += queue.pick(now).entity == &sleeper ? 1 : 0;
        now = now + quantum;
        queue.charge(quantum, now);
        queue.put_back(now);
    }
    EXPECT_NEAR(turns_of_sleeper, 50, 1);
    // Whoever has just run finds its pass again, however short its sleep.
    StrideEntity* const last = queue.pick(now).entity;
    queue.charge(quantum, now);
    queue.sleep(now);
    u64 const pass = last->pass();
    queue.wake(*last, now);
    EXPECT_EQ(last->pass(), pass);
    for (StrideEntity* const entity : {&steady, &sleeper}) {
        queue.cancel(*entity, now);
        queue.expel(*entity, now);
    }
}

TEST(Stride, RefusesWhatDoesNotFit) {
    std::array<StrideDescriptor, 2> places{};
    Stride queue{std::span(places)};
    std::array<StrideEntity, 3> entities;
    EXPECT_EQ(queue.admit(entities[0], {.tickets = 0}, {}).error(), Error::out_of_range);
    EXPECT_EQ(queue.admit(entities[0], {.tickets = ~0u}, {}).error(), Error::out_of_range);
    EXPECT_EQ(queue.admit(entities[0], {.quantum = Nanos{0}}, {}).error(), Error::out_of_range);
    EXPECT_EQ(queue.admit(entities[0], {.quantum = never}, {}).error(), Error::out_of_range);
    ASSERT_TRUE(queue.admit(entities[0], {}, {}).has_value());
    ASSERT_TRUE(queue.admit(entities[1], {}, {}).has_value());
    EXPECT_EQ(queue.admit(entities[2], {}, {}).error(), Error::no_space);
    queue.expel(entities[0], {});
    ASSERT_TRUE(queue.admit(entities[2], {}, {}).has_value());
    queue.expel(entities[1], {});
    queue.expel(entities[2], {});
}

} // namespace
