// The policy of docs/guides/write-a-scheduler.md: a lottery. Each entity has tickets; whoever holds
// the one that is drawn runs for a quantum. In the long run shares are as the tickets.
//
// Source: C. Waldspurger and W. Weihl, "Lottery scheduling", OSDI 1994.
#pragma once

#include "core/sched/policy.hpp"

namespace mine {
using namespace twofold;

struct Lottery {
    struct Parameters {
        u32 tickets = 100;
    };
    struct Entity : sched::EntityTag, ListNode<> {
        u32 tickets = 0;
    };

    static constexpr std::string_view name = "lottery";
    static constexpr Nanos quantum{3'000'000};

    static Result<void> check(Parameters const& parameters) {
        bool const fits = parameters.tickets >= 1 && parameters.tickets <= 1'000'000;
        return fits ? Result<void>() : Result<void>(Error::out_of_range);
    }
    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos) {
        TRY(check(parameters));
        entity.tickets = parameters.tickets;
        return {};
    }
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        TRY(check(parameters));
        m_tickets += entity.is_linked() ? u64{parameters.tickets} - entity.tickets : 0;
        entity.tickets = parameters.tickets;
        return {};
    }
    void expel(Entity&, Nanos) {}
    void wake(Entity& entity, Nanos) {
        m_waiting.push_back(entity);
        m_tickets += entity.tickets;
    }
    void cancel(Entity& entity, Nanos) {
        m_waiting.remove(entity);
        m_tickets -= entity.tickets;
    }
    sched::Choice<Entity> pick(Nanos now) {
        u64 drawn = m_tickets == 0 ? 0 : m_random.next() % m_tickets;
        for (Entity& entity : m_waiting) {
            if (drawn < entity.tickets) {
                cancel(entity, now);
                m_current = &entity;
                return {m_current, quantum};
            }
            drawn -= entity.tickets;
        }
        return {};
    }
    void charge(Nanos, Nanos) {}
    void put_back(Nanos now) { wake(*std::exchange(m_current, nullptr), now); }
    void yield(Nanos now) { put_back(now); }
    void sleep(Nanos) { m_current = nullptr; }
    bool preempts(Entity const&, Nanos) const { return false; }
    usize runnable() const { return m_waiting.size() + (m_current == nullptr ? 0 : 1); }
    Entity* current() const { return m_current; }

private:
    IntrusiveList<Entity> m_waiting;
    u64 m_tickets = 0; ///< of those that wait
    Entity* m_current = nullptr;
    SplitMix64 m_random{1994};
};

} // namespace mine

/// The policy of this header, as `-DTWOFOLD_SCHED_POLICY` expects it.
namespace twofold {
using SelectedPolicy = mine::Lottery;
}
