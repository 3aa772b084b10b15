// The policies `fifo` and `rr` beside lists of the standard library, a million random events each,
// and by example.
#include "core/sched/realtime.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <random>

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

template<class Queue>
class Realtime : public ::testing::Test {};
using Queues = ::testing::Types<Fifo, RoundRobin>;
TYPED_TEST_SUITE(Realtime, Queues);

TYPED_TEST(Realtime, EqualsListsForAMillionEvents) {
    std::mt19937 random(1003);
    TypeParam queue;
    Model<TypeParam> model;
    std::deque<RealtimeEntity> entities(24);
    std::vector<RealtimeEntity*> asleep;
    std::vector<RealtimeEntity*> waiting;
    Nanos now{};
    auto const any_parameters = [&] {
        return RealtimeParameters{
            .priority = static_cast<u32>(random() % 64),
            .quantum = Nanos{100'000 + static_cast<i64>(random() % 10'000'000)}};
    };
    auto const take_any = [&](std::vector<RealtimeEntity*>& list) -> RealtimeEntity* {
        if (list.empty()) {
            return nullptr;
        }
        std::swap(list[random() % list.size()], list.back());
        RealtimeEntity* const found = list.back();
        list.pop_back();
        return found;
    };
    for (RealtimeEntity& entity : entities) {
        model.of(entity).parameters = any_parameters();
        ASSERT_TRUE(queue.admit(entity, model.of(entity).parameters, now).has_value());
        asleep.push_back(&entity);
    }
    for (u32 step = 0; step < 1'000'000; ++step) {
        switch (random() % 6) {
        case 0:
        case 1:
            if (RealtimeEntity* const entity = take_any(asleep)) {
                queue.wake(*entity, now);
                model.become_ready(*entity);
                waiting.push_back(entity);
            }
            break;
        case 2:
            if (RealtimeEntity* const entity = take_any(waiting)) {
                auto const parameters = any_parameters();
                ASSERT_TRUE(queue.change(*entity, parameters, now).has_value());
                model.level_of(*entity).remove(entity);
                auto& member = model.of(*entity);
                member.parameters = parameters;
                member.left = std::min(member.left, parameters.quantum.value);
                model.level_of(*entity).push_back(entity);
                waiting.push_back(entity);
            }
            break;
        case 3:
            if (RealtimeEntity* const entity = take_any(waiting); entity && random() % 4 == 0) {
                queue.cancel(*entity, now);
                model.level_of(*entity).remove(entity);
                asleep.push_back(entity);
            } else if (entity != nullptr) {
                waiting.push_back(entity);
            }
            break;
        default: {
            ASSERT_EQ(queue.runnable(), waiting.size());
            auto const [entity, slice] = queue.pick(now);
            ASSERT_EQ(entity, model.pick()) << step;
            if (entity == nullptr) {
                break;
            }
            ASSERT_EQ(queue.current(), entity);
            Nanos const left{model.of(*entity).left};
            ASSERT_EQ(slice, model.has_quanta ? left : never);
            Nanos const used{static_cast<i64>(random() % static_cast<u64>(left.value + 1))};
            Nanos const charged = random() % 2 == 0 ? used : left;
            now = now + charged;
            queue.charge(charged, now);
            model.charge(*entity, charged.value);
            std::erase(waiting, entity);
            for (RealtimeEntity* const other : waiting) {
                ASSERT_EQ(
                    queue.preempts(*other, now),
                    model.of(*other).parameters.priority > model.of(*entity).parameters.priority);
            }
            switch (random() % 4) {
            case 0:
                queue.sleep(now);
                asleep.push_back(entity);
                break;
            case 1:
                queue.yield(now);
                model.become_ready(*entity);
                waiting.push_back(entity);
                break;
            default:
                queue.put_back(now);
                model.put_back(*entity);
                waiting.push_back(entity);
            }
        }
        }
    }
    for (RealtimeEntity* const entity : waiting) {
        queue.cancel(*entity, now);
        asleep.push_back(entity);
    }
    for (RealtimeEntity* const entity : asleep) {
        queue.expel(*entity, now);
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
