// The policy `eevdf` beside a plain model of its definition: who comes, goes, sleeps, wakes and
// changes its weight at random; at every decision the model's eligible entities are looked through,
// and nobody's lag exceeds one request.
#include "core/sched/eevdf.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

/// 64 bits of mantissa: what the model adds up is exact enough for ten million steps.
using Real = long double;

/// The definition, in virtual nanoseconds, each step O(entities).
class Model {
public:
    struct Member {
        Real weight = 0;
        Real request = 0;
        Real received = 0;
        Real due = 0;
        Real wanted_weight = weight; ///< from when the entity is not late
        Real wanted_request = request;
        bool is_asleep = true;
        bool is_counted = false;
    };

    static constexpr Real rounding = 1; ///< nanoseconds of service that count as none

    Member& of(EevdfEntity const& entity) { return place_of(entity)->second; }
    /// Whoever leaves ahead of its share comes back with the debt.
    void admit(EevdfEntity const& entity, Real weight, Real request) {
        Real const debt = std::exchange(m_debts[&entity], 0);
        Member member{.weight = weight, .request = request};
        member.due = member.received = m_virtual;
        member.received = m_virtual + debt / weight;
        member.is_counted = debt > 0;
        m_members.emplace_back(&entity, member);
    }
    void expel(EevdfEntity const& entity) {
        Member const& member = of(entity);
        m_debts[&entity] = -lag(member);
        if (member.is_counted) {
            bequeath(member.weight, member.received);
        }
        m_members.erase(place_of(entity));
    }
    void bequeath(Real weight, Real received) {
        Real const owed = (received - m_virtual) * weight - lag(m_estate);
        if (weight == 0) {
            return;
        }
        m_estate.weight = (m_estate.is_counted ? m_estate.weight : 0) + weight;
        m_estate.received = m_virtual + owed / m_estate.weight;
        m_estate.is_counted = true;
    }
    Real now() const { return m_virtual; }

    Real weight() const {
        Real sum = m_estate.is_counted ? m_estate.weight : 0;
        for (auto const& [entity, member] : m_members) {
            sum += member.is_counted ? member.weight : 0;
        }
        return sum;
    }
    void change(Member& member, Real weight, Real request) {
        member.wanted_weight = weight;
        member.wanted_request = request;
        convert(member, false);
    }
    /// What is wanted counts from now on, if that may be.
    void convert(Member& member, bool begins) {
        bool const is_late =
            member.is_counted && (m_virtual - member.received) * member.weight > rounding;
        if (is_late && !(begins && member.wanted_weight <= member.weight)) {
            return;
        }
        Real const ahead = (member.received - m_virtual) * member.weight;
        Real const left = (member.due - member.received) * member.weight;
        if (member.wanted_weight > member.weight) {
            member.received = m_virtual + ahead / member.wanted_weight;
        } else if (member.is_counted && ahead > 0) {
            bequeath(member.weight - member.wanted_weight, member.received);
        }
        member.weight = member.wanted_weight;
        member.request = member.wanted_request;
        member.due = member.received + std::min(left, member.request) / member.weight;
    }
    void end_request(Member& member) {
        convert(member, true);
        member.due = member.received + member.request / member.weight;
    }
    void wake(Member& member) {
        if (!member.is_counted) {
            member.received = m_virtual;
        }
        member.is_counted = true;
        member.is_asleep = false;
        member.due = member.received + member.request / member.weight;
    }
    void sleep(Member& member) {
        member.is_asleep = true;
        member.is_counted = member.received > m_virtual;
        convert(member, true);
    }
    /// Before a decision: V goes on until somebody who waits is eligible.
    void settle() {
        Real least = std::numeric_limits<Real>::infinity();
        for (auto const& [entity, member] : m_members) {
            least = member.is_asleep ? least : std::min(least, member.received);
        }
        if (least > m_virtual && std::isfinite(least)) {
            m_virtual = least;
        }
        release();
    }
    void use(Member& member, Real used) {
        member.received += used / member.weight;
        while (used > 0) {
            Real first =
                m_estate.is_counted ? m_estate.received : std::numeric_limits<Real>::infinity();
            for (auto const& [entity, other] : m_members) {
                if (other.is_asleep && other.is_counted) {
                    first = std::min(first, other.received);
                }
            }
            Real const sum = weight();
            Real const step = std::min(used, (first - m_virtual) * sum);
            used -= step;
            m_virtual = used > 0 ? first : m_virtual + step / sum;
            release();
        }
    }
    Real lag(Member const& member) const {
        return member.is_counted ? member.weight * (m_virtual - member.received) : 0;
    }
    Real worst_lag() const {
        Real worst = 0;
        for (auto const& [entity, member] : m_members) {
            worst = std::max(worst, std::abs(lag(member)));
        }
        return worst;
    }
    /// The least deadline of who waits and is eligible, a little late included.
    Real first_due(Real tolerance) const {
        Real first = std::numeric_limits<Real>::infinity();
        for (auto const& [entity, member] : m_members) {
            if (!member.is_asleep && member.received <= m_virtual - tolerance / member.weight) {
                first = std::min(first, member.due);
            }
        }
        return first;
    }

private:
    using Members = std::vector<std::pair<EevdfEntity const*, Member>>; // a dozen

    Members::iterator place_of(EevdfEntity const& entity) {
        return std::find_if(m_members.begin(), m_members.end(), [&](auto const& each) {
            return each.first == &entity;
        });
    }
    void release() {
        m_estate.is_counted = m_estate.is_counted && m_estate.received > m_virtual;
        for (auto& [entity, member] : m_members) {
            if (member.is_asleep && member.received <= m_virtual) {
                member.is_counted = false;
            }
        }
    }

    Real m_virtual = 0;
    Member m_estate; ///< of those who left ahead of their share
    Members m_members;
    std::map<EevdfEntity const*, Real> m_debts; ///< of those who are away
};

/// Random events on a queue and on the model.
class Trial {
public:
    Trial(u64 seed, std::vector<Nanos> requests)
        : m_random(seed), m_requests(std::move(requests)) {}
    ~Trial() {
        while (!m_asleep.empty() || m_queue.runnable() != 0) {
            if (m_queue.runnable() != 0) {
                m_asleep.push_back(m_queue.pick(m_now).entity);
                m_queue.sleep(m_now);
                continue;
            }
            m_queue.expel(*m_asleep.back(), m_now);
            m_asleep.pop_back();
        }
    }

    /// One decision with what happens around it; whether all is as it must be.
    ::testing::AssertionResult step() {
        happen();
        if (m_queue.runnable() == 0) {
            return ::testing::AssertionSuccess();
        }
        auto const [entity, slice, is_hard] = m_queue.pick(m_now);
        m_model.settle();
        ++m_decisions;
        Model::Member& member = m_model.of(*entity);
        constexpr Real tolerance = 1; // nanoseconds of service
        if (member.received > m_model.now() + tolerance / member.weight) {
            return ::testing::AssertionFailure() << "not eligible";
        }
        if (member.due > m_model.first_due(tolerance) + tolerance / member.weight) {
            return ::testing::AssertionFailure() << "another one is due before";
        }
        Real const left = (member.due - member.received) * member.weight;
        if (std::abs(left - static_cast<Real>(slice.value)) > 2) {
            return ::testing::AssertionFailure() << "a slice of " << slice.value << " for " << left;
        }
        run(*entity, slice);
        Real const lag = m_model.lag(member);
        if (std::abs(lag - static_cast<Real>(m_queue.lag(*entity).value)) > 100 &&
            member.is_counted) {
            return ::testing::AssertionFailure()
                   << "a lag of " << m_queue.lag(*entity).value << " for " << lag;
        }
        m_worst = std::max(m_worst, m_model.worst_lag());
        return ::testing::AssertionSuccess();
    }

    bool is_sound() const { return m_queue.is_sound(); }
    Real worst_lag() const { return m_worst; }
    u64 decisions() const { return m_decisions; }

private:
    static constexpr usize members_max = 12;

    Eevdf::Parameters any_parameters() {
        constexpr u32 weights[] = {15, 110, 335, 1024, 1024, 3121, 9548, 88761};
        return {
            .weight = weights[m_random() % std::size(weights)],
            .request = m_requests[m_random() % m_requests.size()]};
    }
    template<class List>
    EevdfEntity* take_any(List& list) {
        if (list.empty()) {
            return nullptr;
        }
        auto const place = list.begin() + static_cast<long>(m_random() % list.size());
        EevdfEntity* const found = *place;
        list.erase(place);
        return found;
    }

    void happen() {
        u64 const draw = m_random() % 100;
        if (draw < 15 && m_members < members_max) {
            create();
        } else if (draw < 35) {
            if (EevdfEntity* const entity = take_any(m_asleep)) {
                m_queue.wake(*entity, m_now);
                m_model.wake(m_model.of(*entity));
                m_waiting.push_back(entity);
            }
        } else if (draw < 42) {
            if (EevdfEntity* const entity = take_any(m_asleep)) {
                m_queue.expel(*entity, m_now);
                m_model.expel(*entity);
                m_free.push_back(entity);
                --m_members;
            }
        } else if (draw < 52) {
            if (EevdfEntity* const entity = take_any(m_waiting)) {
                change(*entity);
                m_waiting.push_back(entity);
            }
        } else if (draw < 55) {
            if (EevdfEntity* const entity = take_any(m_waiting)) {
                m_queue.cancel(*entity, m_now);
                m_model.sleep(m_model.of(*entity));
                m_asleep.push_back(entity);
            }
        }
    }
    void create() {
        EevdfEntity* entity = take_any(m_free);
        if (entity == nullptr) {
            entity = &m_entities.emplace_back();
        }
        Eevdf::Parameters const parameters = any_parameters();
        ASSERT_TRUE(m_queue.admit(*entity, parameters, m_now).has_value());
        m_model.admit(*entity, parameters.weight, static_cast<Real>(parameters.request.value));
        m_asleep.push_back(entity);
        ++m_members;
    }
    void change(EevdfEntity& entity) {
        Eevdf::Parameters const parameters = any_parameters();
        ASSERT_TRUE(m_queue.change(entity, parameters, m_now).has_value());
        m_model.change(
            m_model.of(entity), parameters.weight, static_cast<Real>(parameters.request.value));
    }
    void run(EevdfEntity& entity, Nanos slice) {
        std::erase(m_waiting, &entity);
        bool const is_cut = m_random() % 10 < 3 && slice.value > 1;
        Nanos const used =
            is_cut ? Nanos{1 + static_cast<i64>(m_random() % static_cast<u64>(slice.value))}
                   : slice;
        m_now = m_now + used;
        m_queue.charge(used, m_now);
        Model::Member& member = m_model.of(entity);
        m_model.use(member, static_cast<Real>(used.value));
        if (used == slice) {
            m_model.end_request(member);
        }
        if (m_random() % 100 < (is_cut ? 70 : 5)) {
            m_queue.sleep(m_now);
            m_model.sleep(member);
            m_asleep.push_back(&entity);
        } else {
            m_queue.put_back(m_now);
            m_waiting.push_back(&entity);
        }
    }

    std::mt19937_64 m_random;
    std::vector<Nanos> m_requests;
    std::deque<EevdfEntity> m_entities;
    Eevdf m_queue;
    Model m_model;
    std::vector<EevdfEntity*> m_waiting;
    std::vector<EevdfEntity*> m_asleep;
    std::vector<EevdfEntity*> m_free;
    usize m_members = 0;
    Nanos m_now{};
    Real m_worst = 0;
    u64 m_decisions = 0;
};

TEST(Eevdf, NobodyIsOwedOrOwesMoreThanOneRequest) {
    constexpr Nanos request{3'000'000};
    Trial trial(1995, {request});
    for (u64 step = 0; step < model_operations(); ++step) {
        ASSERT_TRUE(trial.step()) << "step " << step;
        ASSERT_LE(trial.worst_lag(), static_cast<Real>(request.value)) << "step " << step;
        if (step % 4096 == 0) {
            ASSERT_TRUE(trial.is_sound()) << "step " << step;
        }
    }
    EXPECT_GT(trial.decisions(), model_operations() / 2);
    EXPECT_GT(trial.worst_lag(), 0.5L * request.value) << "the trial is too tame";
}

TEST(Eevdf, WithDifferentRequestsTheLongestIsTheBound) {
    constexpr Nanos longest{30'000'000};
    Trial trial(1996, {Nanos{100'000}, Nanos{1'000'000}, Nanos{3'000'000}, longest});
    for (u64 step = 0; step < model_operations() / 10; ++step) {
        ASSERT_TRUE(trial.step()) << "step " << step;
        ASSERT_LE(trial.worst_lag(), static_cast<Real>(longest.value)) << "step " << step;
    }
}

TEST(Eevdf, SharesAreAsTheWeights) {
    Eevdf queue;
    constexpr u32 weights[] = {1, 2, 3, 10};
    std::deque<EevdfEntity> entities;
    std::map<EevdfEntity const*, i64> used;
    for (u32 const weight : weights) {
        EevdfEntity& entity = entities.emplace_back();
        ASSERT_TRUE(queue.admit(entity, {.weight = weight}, {}).has_value());
        queue.wake(entity, {});
    }
    Nanos now{};
    for (u32 turn = 0; turn < 16'000; ++turn) {
        auto const [entity, slice, is_hard] = queue.pick(now);
        now = now + slice;
        queue.charge(slice, now);
        used[entity] += slice.value;
        queue.put_back(now);
    }
    for (usize index = 0; index < std::size(weights); ++index) {
        double const ideal = static_cast<double>(now.value) * weights[index] / 16;
        EXPECT_NEAR(static_cast<double>(used[&entities[index]]), ideal, 3'000'001) << index;
    }
    for (EevdfEntity& entity : entities) {
        queue.cancel(entity, now);
        queue.expel(entity, now);
    }
}

TEST(Eevdf, AShortRequestGoesFirstAndReceivesNoMore) {
    Eevdf queue;
    EevdfEntity brief;
    EevdfEntity lengthy;
    ASSERT_TRUE(queue.admit(brief, {.request = Nanos{200'000}}, {}).has_value());
    ASSERT_TRUE(queue.admit(lengthy, {.request = Nanos{20'000'000}}, {}).has_value());
    queue.wake(lengthy, {});
    auto const first = queue.pick({});
    ASSERT_EQ(first.entity, &lengthy);
    Nanos const now{1'000'000};
    queue.charge(now, now);
    queue.wake(brief, now);
    EXPECT_TRUE(queue.preempts(brief, now));
    queue.put_back(now);
    auto const second = queue.pick(now);
    EXPECT_EQ(second.entity, &brief);
    EXPECT_EQ(second.slice, Nanos{200'000});
    queue.charge(second.slice, now + second.slice);
    queue.put_back(now + second.slice);
    EXPECT_EQ(queue.pick(now).entity, &lengthy) << "the brief one is ahead of its share now";
    queue.sleep(now);
    queue.cancel(brief, now);
    queue.expel(brief, now);
    queue.expel(lengthy, now);
}

TEST(Eevdf, WhoSleepsAheadOfItsShareComesBackWithTheDebt) {
    Eevdf queue;
    EevdfEntity greedy;
    EevdfEntity patient;
    ASSERT_TRUE(queue.admit(greedy, {}, {}).has_value());
    ASSERT_TRUE(queue.admit(patient, {}, {}).has_value());
    queue.wake(greedy, {});
    queue.wake(patient, {});
    ASSERT_EQ(queue.pick({}).entity, &greedy);
    Nanos const used{3'000'000};
    queue.charge(used, used);
    queue.sleep(used);
    queue.wake(greedy, used); // at once: sleeping bought nothing
    EXPECT_EQ(queue.lag(greedy), Nanos{-1'500'000});
    EXPECT_FALSE(queue.runnable() == 0);
    EXPECT_EQ(queue.pick(used).entity, &patient);
    queue.sleep(used);
    queue.cancel(greedy, used);
    queue.expel(greedy, used);
    ASSERT_TRUE(queue.admit(greedy, {}, used).has_value()); // nor did leaving
    EXPECT_EQ(queue.lag(greedy), Nanos{-1'500'000});
    queue.expel(greedy, used);
    queue.expel(patient, used);
}

TEST(Eevdf, ParametersBeyondTheirLimitsAreRefusedAndChangeNothing) {
    Eevdf queue;
    EevdfEntity entity;
    constexpr u64 too_much = u64{1} << 63;
    for (Eevdf::Parameters const& wrong :
         {Eevdf::Parameters{.weight = 0}, Eevdf::Parameters{.weight = Eevdf::weight_max + 1},
          Eevdf::Parameters{.request = Nanos{0}}, Eevdf::Parameters{.request = Nanos{-1}},
          Eevdf::Parameters{.request = Nanos{static_cast<i64>(too_much - 1)}}}) {
        EXPECT_EQ(queue.admit(entity, wrong, {}).error(), Error::out_of_range);
    }
    ASSERT_TRUE(queue.admit(entity, {}, {}).has_value());
    EXPECT_EQ(queue.change(entity, {.weight = 0}, {}).error(), Error::out_of_range);
    EXPECT_EQ(entity.weight(), 1024u);
    queue.expel(entity, {});
}

} // namespace
