// The policy `inference`: every request ends within its bound if its set can be kept at all when it
// arrives, ten million random events long, each choice and slice as the definition has it; training
// and who computes for longer than it said stand behind; models run back to back.
#include "core/sched/inference.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <list>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

/// Requests in the order in which they are due, and what the policy is to make of them, each step
/// over all of them.
class Trial {
public:
    Trial() {
        for (usize member = 0; member < members; ++member) {
            m_entities[member].parameters = any_parameters(member);
            EXPECT_TRUE(
                m_queue.admit(m_entities[member].entity, m_entities[member].parameters, m_now)
                    .has_value());
        }
    }
    ~Trial() {
        for (Member& member : m_entities) {
            if (member.is_waiting) {
                m_queue.cancel(member.entity, m_now);
            }
            m_queue.expel(member.entity, m_now);
        }
    }

    void step() {
        for (u32 tries = static_cast<u32>(m_random() % 3); tries > 0; --tries) {
            arrive(m_entities[m_random() % members]);
        }
        decide();
    }
    u64 ended() const { return m_ended; }
    u64 forced() const { return m_forced; }
    u64 trained() const { return m_trained; }

private:
    static constexpr usize members = 12;
    static constexpr usize trainers = 2; ///< the first ones

    struct Member {
        InferenceParameters parameters;
        InferenceEntity entity;
        bool is_waiting = false;
        bool has_begun = false;
        i64 due = 0;
        i64 rest = 0; ///< as it said
        i64 work = 0; ///< as it is: no more
    };

    InferenceParameters any_parameters(usize member) {
        i64 const estimate = 10'000 + static_cast<i64>(m_random() % 3'000'000);
        return {
            .kind = member < trainers ? InferenceKind::training : InferenceKind::request,
            .model = static_cast<u8>(m_random() % 3),
            .batch_limit = static_cast<u16>(1 + m_random() % 4),
            .bound = Nanos{estimate + static_cast<i64>(m_random() % 15'000'000)},
            .estimate = Nanos{estimate}};
    }
    static bool is_request(Member const& member) {
        return member.parameters.kind == InferenceKind::request;
    }

    /// The least of d_k - (sum up to k), with one more than wait if it is given.
    i64 earliest(Member const* more = nullptr) const {
        std::vector<Member const*> order(m_order.begin(), m_order.end());
        if (more != nullptr) {
            order.push_back(more);
        }
        std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->due < b->due; });
        i64 sum = 0;
        i64 least = never.value;
        for (Member const* const each : order) {
            sum += each->rest;
            least = std::min(least, each->due - sum);
        }
        return least;
    }

    /// Nobody arrives whom no schedule could serve, but for the margin.
    void arrive(Member& member) {
        if (member.is_waiting) {
            return;
        }
        member.parameters = any_parameters(static_cast<usize>(&member - m_entities.data()));
        ASSERT_TRUE(m_queue.change(member.entity, member.parameters, m_now).has_value());
        member.rest = member.parameters.estimate.value;
        member.work = m_random() % 3 == 0
                          ? 1 + static_cast<i64>(m_random() % static_cast<u64>(member.rest))
                          : member.rest;
        member.due = m_now.value + member.parameters.bound.value;
        if (is_request(member) && earliest(&member) < m_now.value) {
            return;
        }
        member.is_waiting = true;
        member.has_begun = false;
        m_queue.wake(member.entity, m_now);
        if (is_request(member)) {
            insert(member);
            m_mates[member.parameters.model].push_back(&member);
        } else {
            m_training.push_back(&member);
        }
    }
    void insert(Member& member) {
        m_order.insert(
            std::find_if(
                m_order.begin(), m_order.end(), [&](auto* each) { return each->due > member.due; }),
            &member);
    }

    void decide() {
        i64 const from = earliest() - Inference::margin.value;
        bool const is_forced = !m_order.empty() && from <= m_now.value;
        auto choice = m_queue.pick(m_now);
        ASSERT_EQ(choice.entity != nullptr, is_forced);
        if (!is_forced) {
            ASSERT_EQ(choice.slice, m_order.empty() ? never : Nanos{from} - m_now);
            if (m_random() % 2 == 0) { // there is other work, in which time goes by
                i64 const other = static_cast<i64>(m_random() % 2'000'000);
                m_now = m_now + std::min(choice.slice, Nanos{other});
                return;
            }
            choice = m_queue.pick_spare(m_now);
        }
        Member* const expected = expect(is_forced);
        ASSERT_EQ(choice.entity, expected == nullptr ? nullptr : &expected->entity);
        if (expected == nullptr) {
            return;
        }
        m_forced += is_forced ? 1 : 0;
        take(*expected, choice.slice);
        run(*expected, choice.slice);
    }
    Member* expect(bool is_forced) {
        if (!m_order.empty()) {
            auto& mates = m_mates[m_model];
            return !is_forced && m_batch_left > 0 && !mates.empty() ? mates.front()
                                                                    : m_order.front();
        }
        return m_training.empty() ? nullptr : m_training.front();
    }
    void take(Member& member, Nanos slice) {
        member.is_waiting = false;
        m_training.remove(&member);
        if (!is_request(member)) {
            ASSERT_EQ(slice, Inference::quantum);
            return;
        }
        bool const was_first = m_order.front() == &member;
        m_order.remove(&member);
        m_mates[member.parameters.model].remove(&member);
        i64 expected = member.rest;
        i64 const until = earliest() - Inference::margin.value - m_now.value;
        if (!was_first && !m_order.empty() && until > 0) {
            expected = std::min(expected, until);
        }
        ASSERT_EQ(slice, Nanos{expected});
        if (!std::exchange(member.has_begun, true)) {
            if (m_batch_left == 0 || m_model != member.parameters.model) {
                m_model = member.parameters.model;
                m_batch_left = member.parameters.batch_limit;
            }
            --m_batch_left;
        }
    }
    void run(Member& member, Nanos slice) {
        i64 ran = std::min(slice.value, member.work);
        if (m_random() % 4 == 0) { // interrupted
            ran = 1 + static_cast<i64>(m_random() % static_cast<u64>(ran));
        }
        m_now = m_now + Nanos{ran};
        m_queue.charge(Nanos{ran}, m_now);
        member.rest -= ran;
        member.work -= ran;
        if (!is_request(member) && m_random() % 4 != 0) {
            member.work = std::max<i64>(member.work, 1); // it has no end
        }
        if (member.work == 0) {
            m_queue.sleep(m_now);
            m_ended += is_request(member) ? 1 : 0;
            if (is_request(member)) {
                ASSERT_LE(m_now.value, member.due) << "the bound is missed";
            }
            return;
        }
        m_queue.put_back(m_now);
        member.is_waiting = true;
        if (is_request(member)) {
            insert(member);
            m_mates[member.parameters.model].push_front(&member);
        } else {
            ++m_trained;
            m_training.push_back(&member);
        }
    }

    std::mt19937_64 m_random{2020};
    std::array<Member, members> m_entities;
    Inference m_queue;
    std::list<Member*> m_order;
    std::list<Member*> m_mates[3];
    std::list<Member*> m_training;
    u8 m_model = 0;
    u32 m_batch_left = 0;
    Nanos m_now{};
    u64 m_ended = 0;
    u64 m_forced = 0;
    u64 m_trained = 0;
};

TEST(Inference, NoRequestThatCanBeServedMissesItsBound) {
    Trial trial;
    for (u64 step = 0; step < model_operations(); ++step) {
        trial.step();
        ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "step " << step;
    }
    EXPECT_GT(trial.ended(), model_operations() / 10);
    EXPECT_GT(trial.forced(), model_operations() / 20) << "the trial is too tame";
    EXPECT_GT(trial.trained(), model_operations() / 1000);
}

constexpr InferenceParameters request{.bound = Nanos{20'000'000}, .estimate = Nanos{1'000'000}};

TEST(Inference, AModelRunsBackToBackUpToTheLimit) {
    Inference queue;
    std::array<InferenceEntity, 8> entities;
    for (usize index = 0; index < entities.size(); ++index) {
        auto parameters = request;
        parameters.model = index % 2;
        parameters.batch_limit = 3;
        ASSERT_TRUE(queue.admit(entities[index], parameters, {}).has_value());
        queue.wake(entities[index], {});
    }
    Nanos now{};
    for (usize const expected : {0, 2, 4, 1, 3, 5, 6, 7}) {
        ASSERT_EQ(queue.pick(now).entity, nullptr) << "nothing is urgent";
        auto const [entity, slice, is_hard] = queue.pick_spare(now);
        EXPECT_EQ(entity, &entities[expected]);
        now = now + slice;
        queue.charge(slice, now);
        queue.sleep(now);
    }
    for (InferenceEntity& entity : entities) {
        queue.expel(entity, now);
    }
}

TEST(Inference, WhoComputesForLongerThanItSaidDelaysNobody) {
    Inference queue;
    InferenceEntity liar;
    InferenceEntity honest;
    InferenceEntity trainer;
    ASSERT_TRUE(queue.admit(liar, request, {}).has_value());
    ASSERT_TRUE(queue.admit(honest, request, {}).has_value());
    ASSERT_TRUE(queue.admit(trainer, {.kind = InferenceKind::training}, {}).has_value());
    queue.wake(trainer, {});
    queue.wake(liar, {});
    auto const first = queue.pick_spare({});
    ASSERT_EQ(first.entity, &liar);
    Nanos const now = first.slice;
    queue.charge(now, now);
    queue.put_back(now); // and goes on without a bound
    EXPECT_EQ(queue.pick(now).slice, never);
    ASSERT_EQ(queue.pick_spare(now).entity, &liar) << "before training";
    queue.wake(honest, now);
    EXPECT_TRUE(queue.preempts(honest, now));
    EXPECT_FALSE(queue.preempts(trainer, now));
    queue.put_back(now);
    EXPECT_EQ(queue.pick(now).slice, Nanos{19'000'000} - Inference::margin);
    ASSERT_EQ(queue.pick_spare(now).entity, &honest);
    queue.sleep(now);
    queue.cancel(liar, now);
    queue.cancel(trainer, now);
    for (InferenceEntity* const entity : {&liar, &honest, &trainer}) {
        queue.expel(*entity, now);
    }
}

TEST(Inference, ParametersBeyondTheirLimitsAreRefused) {
    Inference queue;
    InferenceEntity entity;
    auto const refused = [&](auto const& change) {
        auto parameters = request;
        change(parameters);
        return queue.admit(entity, parameters, {}).error();
    };
    EXPECT_EQ(refused([](auto& p) { p.model = 64; }), Error::out_of_range);
    EXPECT_EQ(refused([](auto& p) { p.batch_limit = 0; }), Error::out_of_range);
    EXPECT_EQ(refused([](auto& p) { p.estimate = Nanos{0}; }), Error::out_of_range);
    EXPECT_EQ(refused([](auto& p) { p.bound = never; }), Error::out_of_range);
    EXPECT_EQ(refused([](auto& p) { p.bound = Nanos{500'000}; }), Error::invalid_argument);
}

} // namespace
