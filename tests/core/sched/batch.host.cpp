// The policy `batch` beside lists of the standard library for ten million random events; shares are
// as the weights; idle work runs when nobody else does.
#include "core/sched/batch.hpp"
#include "core/sched/class_stack.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <list>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

/// Random events on a queue, and on two lists with what is left of each one's turn.
class Trial {
public:
    Trial() {
        for (usize member = 0; member < members; ++member) {
            m_parameters[member] = any_parameters();
            EXPECT_TRUE(m_queue.admit(m_entities[member], m_parameters[member], m_now).has_value());
        }
    }
    ~Trial() {
        for (usize member = 0; member < members; ++member) {
            if (m_state[member] == EntityState::waiting) {
                m_queue.cancel(m_entities[member], m_now);
            }
            m_queue.expel(m_entities[member], m_now);
        }
    }

    void step() {
        usize const member = m_random() % members;
        switch (m_random() % 6) {
        case 0:
        case 1:
            if (m_state[member] == EntityState::asleep) {
                m_queue.wake(m_entities[member], m_now);
                m_left[member] = std::min<i64>(m_left[member], 0);
                become_last(member);
            }
            break;
        case 2:
            change(member);
            break;
        case 3:
            if (m_state[member] == EntityState::waiting && m_random() % 4 == 0) {
                m_queue.cancel(m_entities[member], m_now);
                list(member).remove(member);
                m_state[member] = EntityState::asleep;
            }
            break;
        default:
            decide();
        }
        ASSERT_EQ(m_queue.runnable(), m_lists[0].size() + m_lists[1].size());
    }
    u64 turns(bool is_idle) const { return m_turns[is_idle]; }

private:
    static constexpr usize members = 12;

    BatchParameters any_parameters() {
        return {
            .weight = static_cast<u32>(1 + m_random() % 5),
            .quantum = Nanos{1'000'000 + static_cast<i64>(m_random() % 50'000'000)},
            .is_idle = m_random() % 2 == 0};
    }
    std::list<usize>& list(usize member) { return m_lists[m_parameters[member].is_idle]; }
    i64 turn(usize member) const {
        return m_parameters[member].quantum.value * m_parameters[member].weight;
    }
    void become_last(usize member) {
        m_left[member] = std::max<i64>(m_left[member] + turn(member), 1'000'000);
        list(member).push_back(member);
        m_state[member] = EntityState::waiting;
    }
    void change(usize member) {
        auto const parameters = any_parameters();
        ASSERT_TRUE(m_queue.change(m_entities[member], parameters, m_now).has_value());
        list(member).remove(member);
        m_parameters[member] = parameters;
        m_left[member] = std::min(m_left[member], turn(member));
        if (m_state[member] == EntityState::waiting) {
            list(member).push_back(member);
        }
    }
    void decide() {
        bool const in_spare = m_random() % 2 == 0;
        auto const [entity, slice, is_hard] =
            in_spare ? m_queue.pick_spare(m_now) : m_queue.pick(m_now);
        auto& from = m_lists[m_lists[0].empty() && in_spare];
        ASSERT_EQ(entity == nullptr, from.empty());
        if (entity == nullptr) {
            return;
        }
        usize const member = from.front();
        from.pop_front();
        ASSERT_EQ(entity, &m_entities[member]);
        ASSERT_EQ(slice, Nanos{m_left[member]});
        ++m_turns[m_parameters[member].is_idle];
        i64 const used = m_random() % 2 == 0
                             ? m_left[member] + static_cast<i64>(m_random() % 1'000'000)
                             : static_cast<i64>(m_random() % static_cast<u64>(m_left[member]));
        m_now = m_now + Nanos{used};
        m_queue.charge(Nanos{used}, m_now);
        m_left[member] -= used;
        for (usize const other : m_lists[0]) {
            ASSERT_EQ(m_queue.preempts(m_entities[other], m_now), m_parameters[member].is_idle);
        }
        leave(member);
    }
    void leave(usize member) {
        switch (m_random() % 4) {
        case 0:
            m_queue.sleep(m_now);
            m_state[member] = EntityState::asleep;
            return;
        case 1:
            m_queue.yield(m_now);
            m_left[member] = std::min<i64>(m_left[member], 0);
            become_last(member);
            return;
        default:
            m_queue.put_back(m_now);
            if (m_left[member] > 0) {
                list(member).push_front(member);
            } else {
                become_last(member);
            }
        }
    }

    std::mt19937_64 m_random{1995};
    std::array<BatchEntity, members> m_entities;
    std::array<BatchParameters, members> m_parameters;
    std::array<i64, members> m_left{};
    std::array<EntityState, members> m_state = [] {
        std::array<EntityState, members> states{};
        states.fill(EntityState::asleep);
        return states;
    }();
    std::list<usize> m_lists[2]; ///< busy and idle
    Batch m_queue;
    Nanos m_now{};
    u64 m_turns[2] = {};
};

TEST(Batch, EqualsListsOfTurns) {
    Trial trial;
    for (u64 step = 0; step < model_operations(); ++step) {
        trial.step();
        ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "step " << step;
    }
    EXPECT_GT(trial.turns(false), model_operations() / 10);
    EXPECT_GT(trial.turns(true), model_operations() / 100);
}

TEST(Batch, SharesDifferByOneQuantumAtMost) {
    constexpr u32 weights[] = {1, 2, 3, 10};
    constexpr Nanos quantum{10'000'000};
    std::mt19937_64 random(7);
    Batch queue;
    std::deque<BatchEntity> entities;
    for (u32 const weight : weights) {
        BatchEntity& entity = entities.emplace_back();
        ASSERT_TRUE(queue.admit(entity, {.weight = weight, .quantum = quantum}, {}).has_value());
        queue.wake(entity, {});
    }
    std::vector<i64> used(std::size(weights));
    Nanos now{};
    for (u32 turn = 0; turn < 100'000; ++turn) {
        auto const [entity, slice, is_hard] = queue.pick(now);
        auto const index = static_cast<usize>(
            std::find_if(
                entities.begin(), entities.end(), [&](auto& each) { return &each == entity; }) -
            entities.begin());
        Nanos const ran{
            random() % 2 == 0 ? slice.value
                              : static_cast<i64>(random() % static_cast<u64>(slice.value))};
        now = now + ran;
        queue.charge(ran, now);
        queue.put_back(now);
        used[index] += ran.value;
        for (usize a = 0; a < used.size(); ++a) {
            for (usize b = 0; b < used.size(); ++b) {
                ASSERT_LE(used[a] / weights[a] - used[b] / weights[b], quantum.value + 1) << turn;
            }
        }
    }
    for (BatchEntity& entity : entities) {
        queue.cancel(entity, now);
        queue.expel(entity, now);
    }
}

TEST(Batch, WhatIsIdleRunsInSpareTimeAlone) {
    using Stack = ClassStack<Batch>;
    Stack stack;
    Stack::Entity idle;
    Stack::Entity busy;
    ASSERT_TRUE(stack.admit(idle, Stack::Parameters::of<Batch>({.is_idle = true}), {}).has_value());
    ASSERT_TRUE(stack.admit(busy, Stack::Parameters::of<Batch>({}), {}).has_value());
    stack.wake(idle, {});
    ASSERT_EQ(stack.pick({}).entity, &idle);
    stack.wake(busy, {});
    EXPECT_TRUE(stack.preempts(busy, {}));
    stack.put_back({});
    ASSERT_EQ(stack.pick({}).entity, &busy);
    EXPECT_FALSE(stack.preempts(idle, {}));
    stack.sleep({});
    stack.cancel(idle, {});
    stack.expel(idle, {});
    stack.expel(busy, {});
}

TEST(Batch, ParametersBeyondTheirLimitsAreRefused) {
    Batch queue;
    BatchEntity entity;
    for (BatchParameters const& wrong :
         {BatchParameters{.weight = 0}, BatchParameters{.weight = 101},
          BatchParameters{.quantum = Nanos{0}}, BatchParameters{.quantum = never}}) {
        EXPECT_EQ(queue.admit(entity, wrong, {}).error(), Error::out_of_range);
    }
}

} // namespace
