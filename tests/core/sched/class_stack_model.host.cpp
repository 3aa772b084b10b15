// ClassStack beside a plain model: a queue for each class, entities of their own in each, and the
// order of the classes as a loop. Random events on stacks of two, three and six classes, changes of
// the class in every state among them.
#include "class_stack_model.hpp"

#include "core/sched/edf.hpp"
#include "core/sched/eevdf.hpp"
#include "core/sched/stride.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

namespace {

using namespace twofold;
using namespace twofold::sched;
using model::Background;
using model::Patient;

using Tree = StrideQueue<StrideTree>;

/// Random events on a stack and on the model.
template<class... Policies>
class Trial {
    using Stack = ClassStack<Policies...>;
    using Parameters = typename Stack::Parameters;
    static_assert(Policy<Stack>);

public:
    static constexpr usize classes = Stack::classes;

    ~Trial() {
        if (m_stack.current() != nullptr) {
            m_stack.sleep(m_now);
            m_model.sleep(m_now);
        }
        for (usize member = 0; member < members; ++member) {
            if (m_model.of(member).state == EntityState::waiting) {
                m_stack.cancel(m_entities[member], m_now);
                m_model.cancel(member, m_now);
            }
            if (m_model.of(member).state == EntityState::asleep) {
                m_stack.expel(m_entities[member], m_now);
                m_model.expel(member, m_now);
            }
        }
    }

    void step() {
        usize const member = m_random() % members;
        EntityState const state = m_model.of(member).state;
        switch (m_random() % 8) {
        case 0:
        case 1:
            if (state == EntityState::asleep) {
                m_stack.wake(m_entities[member], m_now);
                m_model.wake(member, m_now);
            } else if (state == EntityState::absent) {
                admit(member);
            }
            break;
        case 2:
            if (state != EntityState::absent) {
                change(member);
            }
            break;
        case 3:
            if (state == EntityState::waiting && m_random() % 2 == 0) {
                m_stack.cancel(m_entities[member], m_now);
                m_model.cancel(member, m_now);
            } else if (state == EntityState::asleep && m_random() % 2 == 0) {
                m_stack.expel(m_entities[member], m_now);
                m_model.expel(member, m_now);
            }
            break;
        case 4:
        case 5:
            if (m_stack.current() != nullptr) {
                use();
            }
            break;
        default:
            m_stack.current() == nullptr ? decide() : leave();
        }
        ASSERT_EQ(m_stack.runnable(), m_model.runnable());
        look_at_preemption();
    }
    u64 changes_in(EntityState state) const { return m_changes[static_cast<usize>(state)]; }
    u64 decisions_of(usize index) const { return m_decisions[index]; }

private:
    static constexpr usize members = 16;

    void set(RealtimeParameters& parameters) {
        parameters.priority = static_cast<u32>(m_random() % 8);
    }
    void set(StrideParameters& parameters) {
        parameters.tickets = static_cast<u32>(1 + m_random() % 100);
    }
    void set(EevdfParameters& parameters) {
        parameters.weight = static_cast<u32>(1 + m_random() % 3000);
    }
    void set(EdfParameters& parameters) {
        parameters.period = Nanos{static_cast<i64>(1'000'000 + m_random() % 20'000'000)};
        parameters.runtime = Nanos{parameters.period.value / static_cast<i64>(2 + m_random() % 10)};
    }
    void set(Patient::Parameters& parameters) {
        parameters.patience = Nanos{static_cast<i64>(1 + m_random() % 5'000'000)};
    }
    Parameters any_parameters() {
        // The later a class, the more of it: it is reached only when all before it sleep.
        auto parameters = Parameters::of_class(
            std::max(m_random() % sizeof...(Policies), m_random() % sizeof...(Policies)));
        (...,
         (parameters.template is<Policies>() ? set(parameters.template get<Policies>()) : void()));
        return parameters;
    }

    void admit(usize member) {
        auto const parameters = any_parameters();
        bool const is_taken = m_model.admit(member, parameters, m_now);
        ASSERT_EQ(m_stack.admit(m_entities[member], parameters, m_now).has_value(), is_taken);
    }
    void change(usize member) {
        auto const parameters = any_parameters();
        bool const is_taken = m_model.change(member, parameters, m_now);
        ASSERT_EQ(m_stack.change(m_entities[member], parameters, m_now).has_value(), is_taken);
        m_changes[static_cast<usize>(m_model.of(member).state)] += is_taken ? 1 : 0;
        ASSERT_EQ(m_entities[member].class_index(), *m_model.of(member).bound);
    }
    void decide() {
        auto const choice = m_stack.pick(m_now);
        auto const expected = m_model.pick(m_now);
        ASSERT_EQ(choice.slice, expected.slice);
        ASSERT_EQ(choice.entity == nullptr, expected.entity == nullptr);
        ASSERT_EQ(choice.entity, m_stack.current());
        m_slice = choice.slice;
        if (choice.entity == nullptr) {
            Nanos const waits{static_cast<i64>(m_random() % 1'000'000)};
            m_now = m_now + std::min(waits, choice.slice);
            return;
        }
        ASSERT_EQ(choice.entity, &m_entities[*expected.entity]);
        ++m_decisions[choice.entity->class_index()];
    }
    void use() {
        Nanos const most = std::min(m_slice, Nanos{4'000'000});
        Nanos const used{static_cast<i64>(m_random() % static_cast<u64>(most.value + 1))};
        m_now = m_now + used;
        m_stack.charge(used, m_now);
        m_model.charge(used, m_now);
        m_slice = m_slice - used;
    }
    void leave() {
        switch (m_random() % 4) {
        case 0:
            m_stack.sleep(m_now);
            m_model.sleep(m_now);
            return;
        case 1:
            m_stack.yield(m_now);
            m_model.yield(m_now);
            return;
        default:
            m_stack.put_back(m_now);
            m_model.put_back(m_now);
        }
    }
    void look_at_preemption() {
        usize const member = m_random() % members;
        if (m_stack.current() != nullptr && m_model.of(member).state == EntityState::waiting) {
            ASSERT_EQ(m_stack.preempts(m_entities[member], m_now), m_model.preempts(member, m_now));
        }
    }

    std::mt19937_64 m_random{2026};
    std::array<typename Stack::Entity, members> m_entities;
    Stack m_stack;
    model::StackModel<Stack, Policies...> m_model;
    Nanos m_now{};
    Nanos m_slice{};
    u64 m_changes[4] = {};
    u64 m_decisions[sizeof...(Policies)] = {};
};

template<class T>
class Stacks : public ::testing::Test {};
using Trials = ::testing::Types<
    Trial<Fifo, Eevdf>,
    Trial<Edf, RoundRobin, Eevdf>,
    Trial<Edf, RoundRobin, Tree, Eevdf, Patient, Background>>;
struct Names {
    template<class T>
    static std::string GetName(int) {
        return "Of" + std::to_string(T::classes);
    }
};
TYPED_TEST_SUITE(Stacks, Trials, Names);

TYPED_TEST(Stacks, EqualQueuesInTheirOrder) {
    u64 const events = model_operations();
    TypeParam trial;
    for (u64 event = 0; event < events; ++event) {
        trial.step();
        ASSERT_FALSE(this->HasFatalFailure()) << "event " << event;
    }
    EXPECT_GT(trial.changes_in(EntityState::asleep), events / 200);
    EXPECT_GT(trial.changes_in(EntityState::waiting), events / 200);
    EXPECT_GT(trial.changes_in(EntityState::current), events / 500);
    for (usize index = 0; index < trial.classes; ++index) {
        EXPECT_GT(trial.decisions_of(index), events / 10'000) << "class " << index;
    }
}

} // namespace
