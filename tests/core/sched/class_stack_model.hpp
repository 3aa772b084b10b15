// A stack of classes in plain words, with a queue and entities for each class, and two classes for
// it that use what a class may offer.
#pragma once

#include "core/sched/class_stack.hpp"
#include "core/sched/realtime.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace twofold::sched::model {

/// A class that runs in its place only what has become urgent, in turn.
class Patient {
public:
    struct Parameters {
        Nanos patience{1'000'000};
    };
    struct Entity : EntityTag {
        Nanos patience{};
        Nanos urgent_at{};
    };

    static constexpr std::string_view name = "patient";
    static constexpr Nanos quantum{700'000};

    static Result<void> check(Parameters const& parameters) {
        return parameters.patience > Nanos{} ? Result<void>() : Result<void>(Error::out_of_range);
    }
    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos now) {
        return change(entity, parameters, now);
    }
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        TRY(check(parameters));
        entity.patience = parameters.patience;
        return {};
    }
    void expel(Entity&, Nanos) {}
    void wake(Entity& entity, Nanos now) {
        entity.urgent_at = now + entity.patience;
        m_waiting.push_back(&entity);
    }
    void cancel(Entity& entity, Nanos) { m_waiting.remove(&entity); }
    Choice<Entity> pick(Nanos now) {
        Nanos first = never;
        for (Entity* const entity : m_waiting) {
            if (entity->urgent_at <= now) {
                return take(*entity);
            }
            first = std::min(first, entity->urgent_at - now);
        }
        return {nullptr, first};
    }
    Choice<Entity> pick_spare(Nanos) {
        return m_waiting.empty() ? Choice<Entity>() : take(*m_waiting.front());
    }
    void charge(Nanos, Nanos) {}
    void put_back(Nanos now) { wake(*std::exchange(m_current, nullptr), now); }
    void yield(Nanos now) { put_back(now); }
    void sleep(Nanos) { m_current = nullptr; }
    bool preempts(Entity const& entity, Nanos) const {
        return entity.patience < m_current->patience;
    }
    static Nanos runs_from(Entity const& entity, Nanos) { return entity.urgent_at; }
    usize runnable() const { return m_waiting.size() + (m_current == nullptr ? 0 : 1); }
    Entity* current() const { return m_current; }

private:
    Choice<Entity> take(Entity& entity) {
        m_waiting.remove(&entity);
        m_current = &entity;
        return {&entity, quantum};
    }

    std::list<Entity*> m_waiting;
    Entity* m_current = nullptr;
};

class Background : public RoundRobin {
public:
    static constexpr std::string_view name = "background";
    static constexpr bool is_background = true;
};

/// A class as the model has it: a queue, and for each member an entity that only it uses.
template<class Parameters>
class ModelClass {
public:
    virtual ~ModelClass() = default;
    virtual bool admit(usize member, Parameters const& parameters, Nanos now) = 0;
    virtual bool change(usize member, Parameters const& parameters, Nanos now) = 0;
    virtual void expel(usize member, Nanos now) = 0;
    virtual void wake(usize member, Nanos now) = 0;
    virtual void cancel(usize member, Nanos now) = 0;
    virtual Choice<usize const> pick(Nanos now) = 0;
    virtual Choice<usize const> pick_spare(Nanos now) = 0;
    virtual void charge(Nanos used, Nanos now) = 0;
    virtual void put_back(Nanos now) = 0;
    virtual void yield(Nanos now) = 0;
    virtual void sleep(Nanos now) = 0;
    virtual bool preempts(usize member, Nanos now) = 0;
    virtual Nanos runs_from(usize member, Nanos now) = 0;
    virtual usize runnable() = 0;
    virtual bool is_background() = 0;
    virtual bool has_spare() = 0;
};

template<class P, class Parameters>
class ModelClassOf : public ModelClass<Parameters> {
public:
    bool admit(usize member, Parameters const& parameters, Nanos now) override {
        return m_queue.admit(of(member), parameters.template get<P>(), now).has_value();
    }
    bool change(usize member, Parameters const& parameters, Nanos now) override {
        return m_queue.change(of(member), parameters.template get<P>(), now).has_value();
    }
    void expel(usize member, Nanos now) override { m_queue.expel(of(member), now); }
    void wake(usize member, Nanos now) override { m_queue.wake(of(member), now); }
    void cancel(usize member, Nanos now) override { m_queue.cancel(of(member), now); }
    Choice<usize const> pick(Nanos now) override { return named(m_queue.pick(now)); }
    Choice<usize const> pick_spare(Nanos now) override {
        if constexpr (requires { m_queue.pick_spare(now); }) {
            return named(m_queue.pick_spare(now));
        }
        return {};
    }
    void charge(Nanos used, Nanos now) override { m_queue.charge(used, now); }
    void put_back(Nanos now) override { m_queue.put_back(now); }
    void yield(Nanos now) override { m_queue.yield(now); }
    void sleep(Nanos now) override { m_queue.sleep(now); }
    bool preempts(usize member, Nanos now) override { return m_queue.preempts(of(member), now); }
    Nanos runs_from(usize member, Nanos now) override {
        if constexpr (requires { m_queue.runs_from(of(member), now); }) {
            return m_queue.runs_from(of(member), now);
        }
        return now;
    }
    usize runnable() override { return m_queue.runnable(); }
    bool is_background() override { return std::is_same_v<P, Background>; }
    bool has_spare() override { return std::is_same_v<P, Patient>; }

private:
    typename P::Entity& of(usize member) { return m_entities[member]; }
    Choice<usize const> named(Choice<typename P::Entity> const& choice) {
        for (auto const& [member, entity] : m_entities) {
            if (&entity == choice.entity) {
                return {&member, choice.slice};
            }
        }
        return {nullptr, choice.slice};
    }

    std::map<usize, typename P::Entity> m_entities;
    P m_queue;
};

/// What a stack of these classes is to do, in plain words.
template<class Stack, class... Policies>
class StackModel {
public:
    using Parameters = typename Stack::Parameters;

    struct Member {
        std::optional<usize> bound; ///< none: absent
        EntityState state = EntityState::absent;
    };

    StackModel() {
        (m_classes.push_back(std::make_unique<ModelClassOf<Policies, Parameters>>()), ...);
    }

    Member& of(usize member) { return m_members[member]; }

    bool admit(usize member, Parameters const& parameters, Nanos now) {
        if (!m_classes[parameters.class_index()]->admit(member, parameters, now)) {
            return false;
        }
        of(member) = {parameters.class_index(), EntityState::asleep};
        return true;
    }
    bool change(usize member, Parameters const& parameters, Nanos now) {
        Member& changed = of(member);
        auto& to = *m_classes[parameters.class_index()];
        if (parameters.class_index() == changed.bound) {
            return to.change(member, parameters, now);
        }
        if (!to.admit(member, parameters, now)) {
            return false;
        }
        auto& from = class_of(member);
        if (changed.state == EntityState::waiting) {
            from.cancel(member, now);
            to.wake(member, now);
        }
        if (changed.state == EntityState::current) {
            if (!m_is_between) {
                from.sleep(now);
            }
            m_is_between = true;
        }
        from.expel(member, now);
        changed.bound = parameters.class_index();
        return true;
    }
    void expel(usize member, Nanos now) {
        class_of(member).expel(member, now);
        of(member) = {};
    }
    void wake(usize member, Nanos now) {
        class_of(member).wake(member, now);
        of(member).state = EntityState::waiting;
    }
    void cancel(usize member, Nanos now) {
        class_of(member).cancel(member, now);
        of(member).state = EntityState::asleep;
    }
    Choice<usize const> pick(Nanos now) {
        auto const answer = decide(now);
        m_slice_end = answer.slice == never ? never : now + answer.slice;
        return answer;
    }
    Choice<usize const> decide(Nanos now) {
        Nanos until = never;
        for (bool const in_spare : {false, true}) {
            for (auto const& each : m_classes) {
                bool const is_asked =
                    in_spare ? each->is_background() || each->has_spare() : !each->is_background();
                if (!is_asked || each->runnable() == 0) {
                    continue;
                }
                auto const answer =
                    in_spare && each->has_spare() ? each->pick_spare(now) : each->pick(now);
                until = std::min(until, answer.slice);
                if (answer.entity != nullptr) {
                    of(*answer.entity).state = EntityState::current;
                    m_current = *answer.entity;
                    m_is_spare = in_spare;
                    return {answer.entity, until};
                }
            }
        }
        return {nullptr, until};
    }
    void charge(Nanos used, Nanos now) {
        if (!m_is_between) {
            class_of(*m_current).charge(used, now);
        }
    }
    void put_back(Nanos now) {
        usize const member = leave(EntityState::waiting);
        std::exchange(m_is_between, false) ? class_of(member).wake(member, now)
                                           : class_of(member).put_back(now);
    }
    void yield(Nanos now) {
        usize const member = leave(EntityState::waiting);
        std::exchange(m_is_between, false) ? class_of(member).wake(member, now)
                                           : class_of(member).yield(now);
    }
    void sleep(Nanos now) {
        usize const member = leave(EntityState::asleep);
        if (!std::exchange(m_is_between, false)) {
            class_of(member).sleep(now);
        }
    }
    bool preempts(usize member, Nanos now) {
        auto& own = class_of(member);
        Nanos const from = own.is_background() ? never : own.runs_from(member, now);
        bool const in_place = from <= now;
        bool const goes_before =
            m_is_spare || m_is_between || *of(member).bound <= *of(*m_current).bound;
        if (!in_place && from < m_slice_end && goes_before) {
            return true;
        }
        if (!in_place && !own.is_background() && !own.has_spare()) {
            return false;
        }
        if (m_is_between || in_place == m_is_spare) {
            return m_is_between || in_place;
        }
        usize const here = *of(member).bound;
        usize const there = *of(*m_current).bound;
        return here == there ? own.preempts(member, now) : here < there;
    }
    usize runnable() {
        return static_cast<usize>(
            std::count_if(m_members.begin(), m_members.end(), [](auto const& member) {
                return member.second.state == EntityState::waiting ||
                       member.second.state == EntityState::current;
            }));
    }

private:
    ModelClass<Parameters>& class_of(usize member) { return *m_classes[*of(member).bound]; }
    usize leave(EntityState to) {
        usize const member = *m_current;
        m_current.reset();
        of(member).state = to;
        return member;
    }

    std::vector<std::unique_ptr<ModelClass<Parameters>>> m_classes;
    std::map<usize, Member> m_members;
    std::optional<usize> m_current;
    Nanos m_slice_end{};
    bool m_is_spare = false;
    bool m_is_between = false;
};

} // namespace twofold::sched::model
