// Replays what Spin found in deadlines.pml on the real policy. Mutants are done to it by who calls
// it: OVERCOMMIT has a server admitted that does not fit, as one that is lent its parameters;
// DROP_CHARGE does not charge the first server; FRESH_BUDGET has whoever wakes leave and come
// again. Status 1: a server missed its deadline.
#include "core/sched/sched.hpp"
#include "tests/models/replay.hpp"

#include <array>

namespace {

using namespace twofold;
using namespace twofold::sched;

constexpr i64 tick_ns = 1'000'000;

class Play {
public:
    static constexpr usize actors = 3;
    static constexpr std::array<std::string_view, 4> mutants{
        "none", "OVERCOMMIT", "DROP_CHARGE", "FRESH_BUDGET"};

    explicit Play(usize mutant) : m_mutant(mutant) {
        for (usize i = 0; i < actors; ++i) {
            m_parameters[i] = {Nanos{tick_ns}, Nanos{(i == 0 ? 2 : 4) * tick_ns}};
        }
        if (mutant == overcommit) {
            m_parameters.back().runtime = Nanos{2 * tick_ns};
            m_parameters.back().is_lent = true;
        }
        for (usize i = 0; i < actors; ++i) {
            CHECK(m_policy.admit(m_entities[i], m_parameters[i], m_now).has_value());
        }
    }
    Play(Play const&) = delete;
    Play& operator=(Play const&) = delete;
    ~Play() {
        for (usize i = 0; i < actors; ++i) {
            if (m_waits[i]) {
                m_policy.cancel(m_entities[i], m_now);
            }
            m_policy.expel(m_entities[i], m_now);
        }
    }

    void wake(usize index) {
        Edf::Entity& entity = m_entities[index];
        if (m_waits[index]) {
            return; // of an order that the mutant alone has
        }
        if (m_mutant == fresh_budget) {
            auto again = m_parameters[index];
            again.is_lent = true; // its share is kept for who has left
            m_policy.expel(entity, m_now);
            CHECK(m_policy.admit(entity, again, m_now).has_value());
        }
        m_policy.wake(entity, m_now);
        m_waits[index] = true;
    }
    /// Who is next runs for a tick. False: a deadline was missed.
    bool tick(bool sleeps) {
        auto const choice = m_policy.pick(m_now);
        bool const is_met = all_are_met();
        m_now = m_now + Nanos{tick_ns};
        if (choice.entity == nullptr) {
            return is_met;
        }
        auto const index = static_cast<usize>(choice.entity - m_entities.data());
        if (m_mutant != drop_charge || index != 0) {
            m_policy.charge(Nanos{tick_ns}, m_now);
        }
        if (sleeps) {
            m_policy.sleep(m_now);
            m_waits[index] = false;
        } else {
            m_policy.put_back(m_now);
        }
        return is_met;
    }

private:
    static constexpr usize overcommit = 1;
    static constexpr usize drop_charge = 2;
    static constexpr usize fresh_budget = 3;

    bool all_are_met() const {
        for (usize i = 0; i < actors; ++i) {
            Edf::Entity const& entity = m_entities[i];
            if (m_waits[i] && entity.budget() > Nanos{} && entity.deadline() <= m_now) {
                fmt::print("server {} missed its deadline at tick {}\n", i, m_now.value / tick_ns);
                return false;
            }
        }
        return true;
    }

    usize m_mutant;
    Nanos m_now{};
    Edf m_policy{1000};
    std::array<Edf::Entity, actors> m_entities;
    std::array<Edf::Parameters, actors> m_parameters;
    std::array<bool, actors> m_waits{};
};

} // namespace

int main(int count, char** arguments) {
    return models::replay<Play>(count, arguments);
}
