// Replays what Spin found in shares.pml on the real policy. Mutants are done to it by who calls it:
// DROP_CHARGE does not charge the first thread, SLEEP_UNCHARGED nobody who is about to sleep;
// REJOIN has whoever wakes leave and come again. Status 1: somebody waits longer than the model
// allows.
#include "core/sched/sched.hpp"
#include "tests/models/replay.hpp"

#include <array>

namespace {

using namespace twofold;
using namespace twofold::sched;

class Play {
public:
    static constexpr usize actors = 3;
    static constexpr std::array<std::string_view, 4> mutants{
        "none", "DROP_CHARGE", "SLEEP_UNCHARGED", "REJOIN"};

    explicit Play(usize mutant) : m_mutant(mutant) {
        for (usize i = 0; i < actors; ++i) {
            CHECK(m_policy.admit(m_entities[i], parameters[i], {}).has_value());
        }
    }
    Play(Play const&) = delete;
    Play& operator=(Play const&) = delete;
    ~Play() {
        for (usize i = 0; i < actors; ++i) {
            if (m_waits[i]) {
                m_policy.cancel(m_entities[i], {});
            }
            m_policy.expel(m_entities[i], {});
        }
    }

    void wake(usize index) {
        if (m_waits[index]) {
            return; // of an order that the mutant alone has
        }
        if (m_mutant == rejoin) {
            m_policy.expel(m_entities[index], {});
            CHECK(m_policy.admit(m_entities[index], parameters[index], {}).has_value());
        }
        m_policy.wake(m_entities[index], {});
        m_waits[index] = true;
        m_waited[index] = 0;
    }
    bool tick(bool sleeps) {
        auto const choice = m_policy.pick({});
        if (choice.entity == nullptr) {
            return true;
        }
        auto const next = static_cast<usize>(choice.entity - m_entities.data());
        bool holds = true;
        for (usize i = 0; i < actors; ++i) {
            m_waited[i] = i == next ? 0 : m_waited[i] + (m_waits[i] ? 1 : 0);
            if (m_waited[i] > patience) {
                fmt::print("thread {} has waited for {} quanta\n", i, m_waited[i]);
                holds = false;
            }
        }
        bool const is_free =
            (m_mutant == drop_charge && next == 0) || (m_mutant == sleep_uncharged && sleeps);
        if (!is_free) {
            m_policy.charge(quantum, {});
        }
        if (sleeps) {
            m_policy.sleep({});
            m_waits[next] = false;
        } else {
            m_policy.put_back({});
        }
        return holds;
    }

private:
    static constexpr usize drop_charge = 1;
    static constexpr usize sleep_uncharged = 2;
    static constexpr usize rejoin = 3;
    static constexpr u32 patience = 7; ///< as in the model
    static constexpr Nanos quantum{3'000'000};
    static constexpr StrideParameters parameters[actors] = {{6}, {3}, {2}};

    usize m_mutant;
    StrideQueue<StrideTree> m_policy;
    std::array<StrideEntity, actors> m_entities;
    std::array<bool, actors> m_waits{};
    std::array<u32, actors> m_waited{};
};

} // namespace

int main(int count, char** arguments) {
    return models::replay<Play>(count, arguments);
}
