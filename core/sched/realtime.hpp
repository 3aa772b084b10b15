// `fifo` and `rr`: fixed priorities. The highest priority that waits runs; among equals the one
// that has waited longest. Under `fifo` it runs until it sleeps or yields, under `rr` for its
// quantum at most, then it goes behind its equals. Who was preempted by a higher priority goes on
// before them, with what was left of its quantum.
//
// A bitmap says which of the 64 levels have somebody, so every call is O(1).
//
// Source: IEEE Std 1003.1-2017, System Interfaces, section 2.8.4 "Process Scheduling" (SCHED_FIFO,
// SCHED_RR).
#pragma once

#include "core/sched/policy.hpp"

#include <bit>

namespace twofold::sched {

struct RealtimeParameters {
    u32 priority = 0;          ///< up to 63; higher goes first
    Nanos quantum{10'000'000}; ///< for `rr`
};

class RealtimeEntity : public EntityTag, public ListNode<> {
public:
    u32 priority() const { return m_parameters.priority; }

private:
    template<class>
    friend class RealtimeQueue;

    RealtimeParameters m_parameters;
    EntityState m_state = EntityState::absent;
    Nanos m_left{}; ///< of the quantum
};

/// `Kind` says the name and whether there are quanta.
template<class Kind>
class RealtimeQueue {
public:
    using Entity = RealtimeEntity;
    using Parameters = RealtimeParameters;

    static constexpr std::string_view name = Kind::name;
    static constexpr bool refuses_nobody = true;
    static constexpr u32 levels = 64;
    static constexpr Nanos quantum_min{10'000};
    static constexpr Nanos quantum_max{1'000'000'000};

    static Result<void> check(Parameters const& parameters) {
        bool const fits = parameters.priority < levels && parameters.quantum >= quantum_min &&
                          parameters.quantum <= quantum_max;
        return fits ? Result<void>() : Result<void>(Error::out_of_range);
    }

    static bool stronger(Parameters const& a, Parameters const& b) {
        return a.priority > b.priority;
    }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state == EntityState::absent);
        TRY(check(parameters));
        entity.m_parameters = parameters;
        entity.m_left = parameters.quantum;
        entity.m_state = EntityState::asleep;
        return {};
    }
    /// Who waits goes behind its new equals, as if it had just become ready.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state != EntityState::absent);
        TRY(check(parameters));
        bool const waits = entity.m_state == EntityState::waiting;
        if (waits) {
            unlink(entity);
        }
        entity.m_parameters = parameters;
        entity.m_left = std::min(entity.m_left, parameters.quantum);
        if (waits) {
            link(entity, Side::back);
        }
        return {};
    }
    void expel(Entity& entity, Nanos) { move(entity, EntityState::asleep, EntityState::absent); }
    void wake(Entity& entity, Nanos) {
        move(entity, EntityState::asleep, EntityState::waiting);
        entity.m_left = entity.m_parameters.quantum;
        link(entity, Side::back);
    }
    void cancel(Entity& entity, Nanos) {
        move(entity, EntityState::waiting, EntityState::asleep);
        unlink(entity);
    }
    Choice<Entity> pick(Nanos) {
        CHECK(m_current == nullptr);
        if (m_occupied == 0) {
            return {};
        }
        Entity& entity = m_levels[top_level()].front();
        unlink(entity);
        move(entity, EntityState::waiting, EntityState::current);
        m_current = &entity;
        return {&entity, Kind::has_quanta ? entity.m_left : never};
    }
    void charge(Nanos used, Nanos) {
        CHECK(m_current != nullptr && used >= Nanos{});
        m_current->m_left = std::max(m_current->m_left - used, Nanos{});
    }
    void put_back(Nanos) {
        Entity& entity = leave(EntityState::waiting);
        bool const is_over = Kind::has_quanta && entity.m_left == Nanos{};
        if (is_over) {
            entity.m_left = entity.m_parameters.quantum;
        }
        link(entity, is_over ? Side::back : Side::front);
    }
    void yield(Nanos) {
        Entity& entity = leave(EntityState::waiting);
        entity.m_left = entity.m_parameters.quantum;
        link(entity, Side::back);
    }
    void sleep(Nanos) { leave(EntityState::asleep); }
    bool preempts(Entity const& entity, Nanos) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        return entity.priority() > m_current->priority();
    }
    usize runnable() const { return m_waiting + (m_current == nullptr ? 0 : 1); }
    Entity* current() const { return m_current; }

private:
    enum class Side : u8 { front, back };

    u32 top_level() const { return 63 - static_cast<u32>(std::countl_zero(m_occupied)); }

    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }
    Entity& leave(EntityState to) {
        CHECK(m_current != nullptr);
        move(*m_current, EntityState::current, to);
        return *std::exchange(m_current, nullptr);
    }
    void link(Entity& entity, Side side) {
        auto& level = m_levels[entity.priority()];
        side == Side::front ? level.push_front(entity) : level.push_back(entity);
        m_occupied |= u64{1} << entity.priority();
        ++m_waiting;
    }
    void unlink(Entity& entity) {
        auto& level = m_levels[entity.priority()];
        level.remove(entity);
        if (level.empty()) {
            m_occupied &= ~(u64{1} << entity.priority());
        }
        --m_waiting;
    }

    u64 m_occupied = 0; ///< a bit for each level where somebody waits
    usize m_waiting = 0;
    Entity* m_current = nullptr;
    IntrusiveList<Entity> m_levels[levels];
};

struct FifoKind {
    static constexpr std::string_view name = "fifo";
    static constexpr bool has_quanta = false;
};
struct RoundRobinKind {
    static constexpr std::string_view name = "rr";
    static constexpr bool has_quanta = true;
};

using Fifo = RealtimeQueue<FifoKind>;
using RoundRobin = RealtimeQueue<RoundRobinKind>;
static_assert(Policy<Fifo> && Policy<RoundRobin>);

} // namespace twofold::sched
