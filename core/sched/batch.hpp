// `batch`: work whose end counts and not its latency, in turns long enough for caches to pay. It
// runs when no class before it has somebody; what `is_idle` among it runs in time that nobody at
// all wants.
//
// Each has a turn of weight x quantum, then the next one has. A turn that is interrupted goes on
// where it was; what was used beyond it is missing in the next (a deficit). So of two that always
// wait, used / weight differs by one quantum at most, and by what they ran too long. Waking begins
// a turn behind all others: sleeping earns nothing. Every call is O(1).
//
// Source: M. Shreedhar and G. Varghese, "Efficient fair queueing using deficit round robin",
// SIGCOMM 1995.
#pragma once

#include "core/sched/policy.hpp"

#include <algorithm>

namespace twofold::sched {

struct BatchParameters {
    u32 weight = 1;            ///< up to 100
    Nanos quantum{50'000'000}; ///< for each unit of weight
    bool is_idle = false;      ///< only when nobody else at all wants to run
};

class BatchEntity : public EntityTag, public ListNode<> {
public:
    u32 weight() const { return m_parameters.weight; }
    bool is_idle() const { return m_parameters.is_idle; }

private:
    friend class Batch;

    BatchParameters m_parameters;
    Nanos m_left{}; ///< of its turn; below zero: it ran too long
    EntityState m_state = EntityState::absent;
};

class Batch {
public:
    using Entity = BatchEntity;
    using Parameters = BatchParameters;

    static constexpr std::string_view name = "batch";
    static constexpr bool refuses_nobody = true;
    static constexpr u32 weight_max = 100;
    static constexpr Nanos quantum_min{1'000'000};
    static constexpr Nanos quantum_max{1'000'000'000};

    static Result<void> check(Parameters const& parameters) {
        bool const fits = parameters.weight >= 1 && parameters.weight <= weight_max &&
                          parameters.quantum >= quantum_min && parameters.quantum <= quantum_max;
        return fits ? Result<void>() : Result<void>(Error::out_of_range);
    }
    static bool stronger(Parameters const& a, Parameters const& b) {
        return a.is_idle != b.is_idle ? b.is_idle : a.weight > b.weight;
    }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state == EntityState::absent);
        TRY(check(parameters));
        entity.m_parameters = parameters;
        entity.m_left = {};
        entity.m_state = EntityState::asleep;
        return {};
    }
    /// Who waits goes behind its new equals; a turn that is under way becomes no longer.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state != EntityState::absent);
        TRY(check(parameters));
        bool const waits = entity.m_state == EntityState::waiting;
        if (waits) {
            unlink(entity);
        }
        entity.m_parameters = parameters;
        entity.m_left = std::min(entity.m_left, turn(entity));
        if (waits) {
            list(entity).push_back(entity);
        }
        return {};
    }
    void expel(Entity& entity, Nanos) { move(entity, EntityState::asleep, EntityState::absent); }
    void wake(Entity& entity, Nanos) {
        move(entity, EntityState::asleep, EntityState::waiting);
        entity.m_left = std::min(entity.m_left, Nanos{});
        begin_turn(entity);
    }
    void cancel(Entity& entity, Nanos) {
        move(entity, EntityState::waiting, EntityState::asleep);
        unlink(entity);
    }
    /// Those that are not idle.
    Choice<Entity> pick(Nanos) { return take(m_busy); }
    Choice<Entity> pick_spare(Nanos) { return take(m_busy.empty() ? m_idle : m_busy); }
    void charge(Nanos used, Nanos) {
        CHECK(m_current != nullptr && used >= Nanos{});
        m_current->m_left = m_current->m_left - used;
    }
    void put_back(Nanos) {
        Entity& entity = leave(EntityState::waiting);
        if (entity.m_left > Nanos{}) {
            list(entity).push_front(entity);
        } else {
            begin_turn(entity);
        }
    }
    void yield(Nanos) {
        Entity& entity = leave(EntityState::waiting);
        entity.m_left = std::min(entity.m_left, Nanos{});
        begin_turn(entity);
    }
    void sleep(Nanos) { leave(EntityState::asleep); }
    /// When an entity that waits may run in the class's place.
    static Nanos runs_from(Entity const& entity, Nanos now) {
        return entity.is_idle() ? never : now;
    }
    bool preempts(Entity const& entity, Nanos) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        return m_current->is_idle() && !entity.is_idle();
    }
    usize runnable() const {
        return m_busy.size() + m_idle.size() + (m_current == nullptr ? 0 : 1);
    }
    Entity* current() const { return m_current; }

private:
    using List = IntrusiveList<Entity>;

    static Nanos turn(Entity const& entity) {
        return {entity.m_parameters.quantum.value * entity.m_parameters.weight};
    }
    List& list(Entity const& entity) { return entity.is_idle() ? m_idle : m_busy; }
    void unlink(Entity& entity) { list(entity).remove(entity); }
    /// Behind all others. A debt takes from the turn, but never all of it.
    void begin_turn(Entity& entity) {
        entity.m_left = std::max(entity.m_left + turn(entity), quantum_min);
        list(entity).push_back(entity);
    }
    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }
    Entity& leave(EntityState to) {
        CHECK(m_current != nullptr);
        move(*m_current, EntityState::current, to);
        return *std::exchange(m_current, nullptr);
    }
    Choice<Entity> take(List& list) {
        CHECK(m_current == nullptr);
        if (list.empty()) {
            return {};
        }
        Entity& entity = list.pop_front();
        move(entity, EntityState::waiting, EntityState::current);
        m_current = &entity;
        return {&entity, entity.m_left};
    }

    Entity* m_current = nullptr;
    List m_busy;
    List m_idle;
};
static_assert(Policy<Batch>);

} // namespace twofold::sched
