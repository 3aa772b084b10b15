// CheckedQueue<P>: a policy that is believed nothing. It keeps what it was told of each entity
// itself, and holds every answer against that. The first wrong one is a violation, which has a name
// and is kept for a report; from then on the policy is asked nothing any more, and the queue goes
// on by a round robin of its own. So a policy that errs may be slow or unfair; nobody is lost, and
// nobody runs twice.
//
// What it takes for granted is that an answer points at some entity of the policy's type, and that
// the policy leaves the entities' tags alone.
//
// Every call costs a few comparisons beside the policy's own; after a violation `pick` is O(n).
#pragma once

#include "core/sched/policy.hpp"

#include <memory>

namespace twofold::sched {

/// What can be wrong with an answer.
enum class Violation : u8 {
    none,
    nobody,        ///< nobody is to run, for ever, though somebody waits
    stranger,      ///< who is to run was not admitted to this queue
    not_waiting,   ///< who is to run sleeps, or runs already
    empty_slice,   ///< for no time, or less
    other_current, ///< the policy takes somebody else for the one that runs
    wrong_count,   ///< it has lost somebody, or has one too many
    wrong_error,   ///< it refuses with an error that is not its to give
};
inline constexpr usize violation_count = 8;

/// The stable name of a violation. O(1).
constexpr std::string_view violation_name(Violation violation) {
    constexpr std::string_view names[violation_count] = {
        "none",        "nobody",        "stranger",    "not-waiting",
        "empty-slice", "other-current", "wrong-count", "wrong-error"};
    auto const index = static_cast<usize>(violation);
    return index < violation_count ? names[index] : "unknown violation";
}

/// How checked queues reach the tags.
class EntityBooks {
protected:
    static EntityState state(EntityTag const& tag) { return tag.m_state; }
    static void set_state(EntityTag& tag, EntityState state) { tag.m_state = state; }
    static void const* queue(EntityTag const& tag) { return tag.m_queue; }
    static void set_queue(EntityTag& tag, void const* queue, void* owner) {
        tag.m_queue = queue;
        tag.m_owner = owner;
    }
    static void* owner(EntityTag const& tag) { return tag.m_owner; }
};

struct MemberTag;

template<class P>
class CheckedQueue;

/// What a checked queue keeps of one thread: the policy's entity, and whether the policy may still
/// hold on to it. What was left to a policy that is not asked any more is never looked at again.
template<class P>
class CheckedEntity : public ListNode<MemberTag> {
public:
    CheckedEntity() : m_entity() {}
    CheckedEntity(CheckedEntity const&) = delete;
    CheckedEntity& operator=(CheckedEntity const&) = delete;
    ~CheckedEntity() {
        if (!m_is_abandoned) {
            std::destroy_at(&m_entity);
        }
    }

    /// What the policy knows.
    typename P::Entity const& of_policy() const { return m_entity; }

private:
    friend class CheckedQueue<P>;

    union {
        typename P::Entity m_entity;
    };
    bool m_is_abandoned = false;
};

template<class P>
class CheckedQueue : private EntityBooks {
    static_assert(Policy<P>);

public:
    using Entity = CheckedEntity<P>;
    using Parameters = typename P::Parameters;

    static constexpr std::string_view name = P::name;
    /// Once a violation was found: how long each runs in its turn.
    static constexpr Nanos turn{1'000'000};

    /// The arguments are the policy's.
    template<class... Arguments>
    explicit CheckedQueue(Arguments&&... arguments)
        : m_policy(static_cast<Arguments&&>(arguments)...) {}
    CheckedQueue(CheckedQueue const&) = delete;
    CheckedQueue& operator=(CheckedQueue const&) = delete;
    ~CheckedQueue() {
        if (is_trusted()) {
            std::destroy_at(&m_policy);
        }
    }

    static Result<void> check(Parameters const& parameters) { return P::check(parameters); }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos now) {
        if (entity.m_is_abandoned) {
            std::construct_at(&entity.m_entity);
            entity.m_is_abandoned = false;
        }
        CHECK(state(entity.m_entity) == EntityState::absent);
        TRY(P::check(parameters));
        if (is_trusted()) {
            TRY(judge(m_policy.admit(entity.m_entity, parameters, now)));
        }
        set_state(entity.m_entity, EntityState::asleep);
        set_queue(entity.m_entity, this, &entity);
        m_members.push_back(entity);
        return {};
    }
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos now) {
        CHECK(is_member(entity));
        TRY(P::check(parameters));
        if (!is_trusted()) {
            return {};
        }
        auto const outcome = judge(m_policy.change(entity.m_entity, parameters, now));
        verify();
        return outcome;
    }
    void expel(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::absent);
        if (is_trusted()) {
            m_policy.expel(entity.m_entity, now);
        }
        entity.m_is_abandoned = !is_trusted();
        set_queue(entity.m_entity, nullptr, nullptr);
        m_members.remove(entity);
    }
    void wake(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::waiting);
        ++m_runnable;
        if (is_trusted()) {
            m_policy.wake(entity.m_entity, now);
            verify();
        }
    }
    void cancel(Entity& entity, Nanos now) {
        move(entity, EntityState::waiting, EntityState::asleep);
        --m_runnable;
        if (is_trusted()) {
            m_policy.cancel(entity.m_entity, now);
            verify();
        }
    }
    /// Nobody, though somebody waits, comes with a time that is to be waited for.
    Choice<Entity> pick(Nanos now) {
        CHECK(m_current == nullptr);
        if (m_runnable == 0) {
            return {};
        }
        if (!is_trusted()) {
            return take_turn();
        }
        auto const answer = m_policy.pick(now);
        if (auto const wrong = judge(answer); wrong != Violation::none) [[unlikely]] {
            distrust(wrong);
            return take_turn();
        }
        if (answer.entity == nullptr) {
            return {nullptr, answer.slice};
        }
        auto& entity = *static_cast<Entity*>(owner(*answer.entity)); // it carries this queue's tag
        make_current(entity);
        verify();
        return {&entity, answer.slice, answer.is_hard};
    }
    void charge(Nanos used, Nanos now) {
        CHECK(m_current != nullptr && used >= Nanos{});
        if (is_trusted()) {
            m_policy.charge(used, now);
        }
    }
    void put_back(Nanos now) {
        leave(EntityState::waiting);
        if (is_trusted()) {
            m_policy.put_back(now);
            verify();
        }
    }
    void yield(Nanos now) {
        leave(EntityState::waiting);
        if (is_trusted()) {
            m_policy.yield(now);
            verify();
        }
    }
    void sleep(Nanos now) {
        leave(EntityState::asleep);
        --m_runnable;
        if (is_trusted()) {
            m_policy.sleep(now);
            verify();
        }
    }
    bool preempts(Entity const& entity, Nanos now) const {
        CHECK(m_current != nullptr && state(entity.m_entity) == EntityState::waiting);
        return is_trusted() && m_policy.preempts(entity.m_entity, now);
    }
    usize runnable() const { return m_runnable; }
    Entity* current() const { return m_current; }

    /// The first wrong answer, or `none`.
    Violation violation() const { return m_violation; }
    /// To look at; after a violation it says nothing.
    P const& policy() const { return m_policy; }
    static bool is_waiting(Entity const& entity) {
        return state(entity.m_entity) == EntityState::waiting;
    }

private:
    bool is_trusted() const { return m_violation == Violation::none; }
    bool is_member(Entity const& entity) const { return queue(entity.m_entity) == this; }
    void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(state(entity.m_entity) == from && is_member(entity));
        set_state(entity.m_entity, to);
    }
    void leave(EntityState to) {
        CHECK(m_current != nullptr);
        set_state(std::exchange(m_current, nullptr)->m_entity, to);
    }
    void make_current(Entity& entity) {
        set_state(entity.m_entity, EntityState::current);
        m_current = &entity;
    }

    Result<void> judge(Result<void> const& outcome) {
        if (outcome || outcome.error() == Error::no_space ||
            outcome.error() == Error::out_of_range || outcome.error() == Error::invalid_argument) {
            return outcome;
        }
        distrust(Violation::wrong_error);
        return {};
    }
    Violation judge(Choice<typename P::Entity> const& answer) const {
        if (answer.slice <= Nanos{}) {
            return Violation::empty_slice;
        }
        if (answer.entity == nullptr) {
            return answer.slice == never ? Violation::nobody : Violation::none;
        }
        if (queue(*answer.entity) != this) {
            return Violation::stranger;
        }
        return state(*answer.entity) == EntityState::waiting ? Violation::none
                                                             : Violation::not_waiting;
    }
    /// Whether the policy's books agree.
    void verify() {
        typename P::Entity const* const expected =
            m_current != nullptr ? &m_current->m_entity : nullptr;
        if (m_policy.current() != expected) [[unlikely]] {
            distrust(Violation::other_current);
        } else if (m_policy.runnable() != m_runnable) [[unlikely]] {
            distrust(Violation::wrong_count);
        }
    }
    [[gnu::cold]] void distrust(Violation violation) {
        m_violation = m_violation == Violation::none ? violation : m_violation;
    }
    /// The member that waits and had its turn the longest ago.
    Choice<Entity> take_turn() {
        for (usize i = 0; i < m_members.size(); ++i) {
            Entity& entity = m_members.pop_front();
            m_members.push_back(entity);
            if (state(entity.m_entity) == EntityState::waiting) {
                make_current(entity);
                return {&entity, turn, true};
            }
        }
        UNREACHABLE(); // somebody waits
    }

    union {
        P m_policy;
    };
    Entity* m_current = nullptr;
    usize m_runnable = 0;
    Violation m_violation = Violation::none;
    IntrusiveList<Entity, MemberTag> m_members;
};

} // namespace twofold::sched
