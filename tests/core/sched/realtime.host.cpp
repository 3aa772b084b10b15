// The policies `fifo` and `rr` beside lists of the standard library, ten million random events
// each, and by example.
#include "core/sched/realtime.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

constexpr Nanos quantum{10'000'000};

/// POSIX's words: a list for each priority.
template<class Queue>
class Model {
public:
    struct Member {
        RealtimeParameters parameters;
        i64 left = 0;
    };

    static constexpr bool has_quanta = std::is_same_v<Queue, RoundRobin>;

    Member& of(RealtimeEntity const& entity) { return m_members[&entity]; }
    std::list<RealtimeEntity*>& level_of(RealtimeEntity const& entity) {
        return m_levels[of(entity).parameters.priority];
    }
    RealtimeEntity* pick() {
        for (auto level = m_levels.rbegin(); level != m_levels.rend(); ++level) {
            if (!level->second.empty()) {
                RealtimeEntity* const first = level->second.front();
                level->second.pop_front();
                return first;
            }
        }
        return nullptr;
    }
    void charge(RealtimeEntity const& entity, i64 used) {
        of(entity).left = std::max<i64>(of(entity).left - used, 0);
    }
    void put_back(RealtimeEntity& entity) {
        Member& member = of(entity);
        if (has_quanta && member.left == 0) {
            become_ready(entity);
        } else {
            level_of(entity).push_front(&entity);
        }
    }
    void become_ready(RealtimeEntity& entity) {
        of(entity).left = of(entity).parameters.quantum.value;
        level_of(entity).push_back(&entity);
    }

private:
    std::map<u32, std::list<RealtimeEntity*>> m_levels;
    std::map<RealtimeEntity const*, Member> m_members;
};

/// Random events on a queue and on the model.
template<class Queue>
class Trial {
public:
    Trial() {
        for (RealtimeEntity& entity : m_entities) {
            m_model.of(entity).parameters = any_parameters();
            EXPECT_TRUE(m_queue.admit(entity, m_model.of(entity).parameters, m_now).has_value());
            m_asleep.push_back(&entity);
        }
    }
    ~Trial() {
        for (RealtimeEntity* const entity : m_waiting) {
            m_queue.cancel(*entity, m_now);
            m_asleep.push_back(entity);
        }
        for (RealtimeEntity* const entity : m_asleep) {
            m_queue.expel(*entity, m_now);
        }
    }

    void step() {
        switch (m_random() % 6) {
        case 0:
        case 1:
            wake();
            break;
        case 2:
            change();
            break;
        case 3:
            if (m_random() % 4 == 0) {
                cancel();
            }
            break;
        default:
            decide();
        }
    }

private:
    RealtimeParameters any_parameters() {
        return {
            .priority = static_cast<u32>(m_random() % 64),
            .quantum = Nanos{100'000 + static_cast<i64>(m_random() % 10'000'000)}};
    }
    RealtimeEntity* take_any(std::vector<RealtimeEntity*>& list) {
        if (list.empty()) {
            return nullptr;
        }
        std::swap(list[m_random() % list.size()], list.back());
        RealtimeEntity* const found = list.back();
        list.pop_back();
        return found;
    }

    void wake() {
        if (RealtimeEntity* const entity = take_any(m_asleep)) {
            m_queue.wake(*entity, m_now);
            m_model.become_ready(*entity);
            m_waiting.push_back(entity);
        }
    }
    void change() {
        RealtimeEntity* const entity = take_any(m_waiting);
        if (entity == nullptr) {
            return;
        }
        auto const parameters = any_parameters();
        ASSERT_TRUE(m_queue.change(*entity, parameters, m_now).has_value());
        m_model.level_of(*entity).remove(entity);
        auto& member = m_model.of(*entity);
        member.parameters = parameters;
        member.left = std::min(member.left, parameters.quantum.value);
        m_model.level_of(*entity).push_back(entity);
        m_waiting.push_back(entity);
    }
    void cancel() {
        if (RealtimeEntity* const entity = take_any(m_waiting)) {
            m_queue.cancel(*entity, m_now);
            m_model.level_of(*entity).remove(entity);
            m_asleep.push_back(entity);
        }
    }
    void decide() {
        ASSERT_EQ(m_queue.runnable(), m_waiting.size());
        auto const [entity, slice, is_hard] = m_queue.pick(m_now);
        ASSERT_EQ(entity, m_model.pick());
        if (entity == nullptr) {
            return;
        }
        ASSERT_EQ(m_queue.current(), entity);
        Nanos const left{m_model.of(*entity).left};
        ASSERT_EQ(slice, m_model.has_quanta ? left : never);
        std::erase(m_waiting, entity);
        Nanos const part{static_cast<i64>(m_random() % static_cast<u64>(left.value + 1))};
        charge(*entity, m_random() % 2 == 0 ? part : left);
        leave(*entity);
    }
    void charge(RealtimeEntity& entity, Nanos used) {
        m_now = m_now + used;
        m_queue.charge(used, m_now);
        m_model.charge(entity, used.value);
        for (RealtimeEntity* const other : m_waiting) {
            ASSERT_EQ(
                m_queue.preempts(*other, m_now),
                m_model.of(*other).parameters.priority > m_model.of(entity).parameters.priority);
        }
    }
    void leave(RealtimeEntity& entity) {
        switch (m_random() % 4) {
        case 0:
            m_queue.sleep(m_now);
            m_asleep.push_back(&entity);
            return;
        case 1:
            m_queue.yield(m_now);
            m_model.become_ready(entity);
            break;
        default:
            m_queue.put_back(m_now);
            m_model.put_back(entity);
        }
        m_waiting.push_back(&entity);
    }

    std::mt19937 m_random{1003};
    std::deque<RealtimeEntity> m_entities{24};
    std::vector<RealtimeEntity*> m_asleep;
    std::vector<RealtimeEntity*> m_waiting;
    Queue m_queue;
    Model<Queue> m_model;
    Nanos m_now{};
};

template<class Queue>
class Realtime : public ::testing::Test {};
using Queues = ::testing::Types<Fifo, RoundRobin>;
TYPED_TEST_SUITE(Realtime, Queues);

TYPED_TEST(Realtime, EqualsLists) {
    Trial<TypeParam> trial;
    for (u64 step = 0; step < model_operations(); ++step) {
        trial.step();
        ASSERT_FALSE(this->HasFatalFailure()) << "step " << step;
    }
}

TEST(Fifo, RunsUntilItSleepsAndAmongEqualsInTurn) {
    Fifo queue;
    RealtimeEntity low;
    RealtimeEntity first;
    RealtimeEntity second;
    ASSERT_TRUE(queue.admit(low, {.priority = 1}, {}).has_value());
    ASSERT_TRUE(queue.admit(first, {.priority = 5}, {}).has_value());
    ASSERT_TRUE(queue.admit(second, {.priority = 5}, {}).has_value());
    for (RealtimeEntity* const entity : {&low, &first, &second}) {
        queue.wake(*entity, {});
    }
    Nanos now{};
    for (u32 turn = 0; turn < 100; ++turn) {
        ASSERT_EQ(queue.pick(now).entity, &first);
        now = now + quantum;
        queue.charge(quantum, now);
        queue.put_back(now);
    }
    for (RealtimeEntity* const expected : {&first, &second, &low}) {
        ASSERT_EQ(queue.pick(now).entity, expected);
        queue.sleep(now);
        queue.expel(*expected, now);
    }
    EXPECT_EQ(queue.pick(now).entity, nullptr);
}

TEST(RoundRobin, EqualsTakeTurnsAndAPreemptedOneKeepsTheRestOfItsQuantum) {
    RoundRobin queue;
    RealtimeEntity first;
    RealtimeEntity second;
    RealtimeEntity urgent;
    ASSERT_TRUE(queue.admit(first, {.priority = 5}, {}).has_value());
    ASSERT_TRUE(queue.admit(second, {.priority = 5}, {}).has_value());
    ASSERT_TRUE(queue.admit(urgent, {.priority = 6}, {}).has_value());
    queue.wake(first, {});
    queue.wake(second, {});
    ASSERT_EQ(queue.pick({}).entity, &first);
    Nanos const some{4'000'000};
    queue.charge(some, some);
    queue.wake(urgent, some);
    EXPECT_TRUE(queue.preempts(urgent, some));
    queue.put_back(some);
    ASSERT_EQ(queue.pick(some).entity, &urgent);
    queue.sleep(some);
    auto const again = queue.pick(some);
    EXPECT_EQ(again.entity, &first);
    EXPECT_EQ(again.slice, quantum - some);
    queue.charge(again.slice, quantum);
    queue.put_back(quantum);
    EXPECT_EQ(queue.pick(quantum).entity, &second);
    queue.sleep(quantum);
    queue.cancel(first, quantum);
    for (RealtimeEntity* const entity : {&first, &second, &urgent}) {
        queue.expel(*entity, quantum);
    }
}

TYPED_TEST(Realtime, ParametersBeyondTheirLimitsAreRefused) {
    TypeParam queue;
    RealtimeEntity entity;
    for (RealtimeParameters const& wrong :
         {RealtimeParameters{.priority = 64}, RealtimeParameters{.priority = ~0u},
          RealtimeParameters{.quantum = Nanos{0}}, RealtimeParameters{.quantum = never}}) {
        EXPECT_EQ(queue.admit(entity, wrong, {}).error(), Error::out_of_range);
    }
}

} // namespace
