// `edf`: earliest deadline first, each entity inside a constant-bandwidth server. An entity asks
// for `runtime` in every `period`; what is admitted gets that much before each of its deadlines,
// and never more, however long it computes and whenever it wakes.
//
// A server has a budget and a deadline. Who has the first deadline runs, and its budget shrinks. An
// empty budget is filled at the deadline, not before (a hard reservation): until then the entity is
// *throttled*, and the processor is free for others; then its deadline is a period later. Who wakes
// keeps budget and deadline if what is left of them is no more than its share of the time to come,
//      budget / (deadline - now) <= runtime / period,
// and gets a full budget and a deadline a period from now if it is more: otherwise it could use old
// budget together with new, and take from others what was guaranteed to them.
//
// Admission: deadlines equal periods, so all are met as long as the shares runtime / period add up
// to no more than one processor. `limit` leaves a part of it to everybody else. Shares are rounded
// up, so rounding never admits too much. Who leaves, or asks for less,
// may have used its budget early; its share is free for others when its deadline has passed.
//
// Waiting entities lie in a tree by deadline, throttled ones in a tree by the time at which they
// are filled: every call is O(log n), `pick` for each one that is filled.
//
// Sources: C. Liu and J. Layland, "Scheduling algorithms for multiprogramming in a hard-real-time
// environment", JACM 20(1), 1973, theorem 7 (the bound); L. Abeni and G. Buttazzo, "Integrating
// multimedia applications in hard real-time systems", RTSS 1998 (the server and its rule for
// waking); R. Rajkumar, K. Juvva, A. Molano and S. Oikawa, "Resource kernels", MMCN 1998 (hard
// reservations).
#pragma once

#include "core/sched/ordered_tree.hpp"
#include "core/sched/policy.hpp"

namespace twofold::sched {

struct EdfParameters {
    Nanos runtime{1'000'000};
    Nanos period{10'000'000};
    /// Somebody else's, who sleeps meanwhile: not counted by admission. What the entity was
    /// admitted with stays guaranteed to it.
    bool is_lent = false;
};

class EdfEntity : public EntityTag, public TreeNode<EdfEntity> {
public:
    Nanos deadline() const { return m_deadline; }
    Nanos budget() const { return m_budget; }
    bool is_throttled() const { return m_is_throttled; }

private:
    friend class Edf;

    EntityState m_state = EntityState::absent;
    bool m_is_throttled = false; ///< waits for its deadline, without a budget
    EdfParameters m_parameters;
    u64 m_share = 0; ///< of a processor, rounded up
    Nanos m_deadline{};
    Nanos m_budget{};
    u64 m_sequence = 0; ///< decides between equals: who came first
};

class Edf {
public:
    using Entity = EdfEntity;
    using Parameters = EdfParameters;

    static constexpr std::string_view name = "edf";
    static constexpr Nanos runtime_min{10'000};
    static constexpr Nanos period_max{i64{1} << 42}; ///< more than an hour
    static constexpr u32 share_bits = 32;            ///< a whole processor is 2^32
    static constexpr u64 whole = u64{1} << share_bits;

    /// `limit`: the part of the processor that may be given away, in thousandths.
    explicit Edf(u32 limit = 950) : m_limit(whole * limit / 1000) { CHECK(limit <= 1000); }
    Edf(Edf const&) = delete;
    Edf& operator=(Edf const&) = delete;
    ~Edf() { CHECK(m_given == m_leaving); }

    static Result<void> check(Parameters const& parameters) {
        if (parameters.runtime < runtime_min || parameters.period > period_max) {
            return Error::out_of_range;
        }
        return parameters.runtime <= parameters.period ? Result<void>()
                                                       : Result<void>(Error::invalid_argument);
    }

    /// What is guaranteed is guaranteed by the queue that admitted it; and who is lent a deadline
    /// may have a guarantee of its own there.
    static bool is_bound_to_queue(Parameters const&) { return true; }
    /// Of two that are periodic, who is due sooner.
    static bool stronger(Parameters const& a, Parameters const& b) { return a.period < b.period; }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos now) {
        CHECK(entity.m_state == EntityState::absent);
        TRY(check(parameters));
        u64 const share = parameters.is_lent ? 0 : share_of(parameters);
        TRY(give(share, now));
        entity.m_parameters = parameters;
        entity.m_share = share;
        entity.m_budget = {};
        entity.m_deadline = {};
        entity.m_state = EntityState::asleep;
        return {};
    }
    /// The deadline stays; what is left of the budget becomes no more than the new share of the
    /// time until then.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos now) {
        CHECK(entity.m_state != EntityState::absent);
        TRY(check(parameters));
        u64 const share = parameters.is_lent ? entity.m_share : share_of(parameters);
        if (share > entity.m_share) {
            TRY(give(share - entity.m_share, now));
        } else {
            take_back(entity.m_share - share, entity.m_deadline, now);
        }
        entity.m_parameters = parameters;
        entity.m_share = share;
        if (entity.m_state == EntityState::waiting && !entity.m_is_throttled) {
            m_waiting.remove(entity);
            limit_budget(entity, now);
            add(entity);
        } else {
            limit_budget(entity, now);
        }
        return {};
    }
    void expel(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::absent);
        take_back(std::exchange(entity.m_share, 0), entity.m_deadline, now);
    }

    void wake(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::waiting);
        if (may_start_anew(entity, now)) {
            entity.m_deadline = now + entity.m_parameters.period;
            entity.m_budget = entity.m_parameters.runtime;
        }
        add(entity);
    }
    void cancel(Entity& entity, Nanos) {
        move(entity, EntityState::waiting, EntityState::asleep);
        (entity.m_is_throttled ? m_throttled : m_waiting).remove(entity);
        entity.m_is_throttled = false;
    }

    Choice<Entity> pick(Nanos now) {
        CHECK(m_current == nullptr);
        fill(now);
        Nanos const until = m_throttled.empty() ? never : m_throttled.first()->m_deadline - now;
        Entity* const entity = m_waiting.first();
        if (entity == nullptr) {
            return {nullptr, until};
        }
        m_waiting.remove(*entity);
        move(*entity, EntityState::waiting, EntityState::current);
        m_current = entity;
        return {entity, std::min(entity->m_budget, until), true};
    }
    void charge(Nanos used, Nanos) {
        CHECK(m_current != nullptr && used >= Nanos{});
        m_current->m_budget =
            m_current->m_budget - used; // below zero if it ran too long: it owes that
    }
    void put_back(Nanos) { add(leave(EntityState::waiting)); }
    /// The rest of the budget is given up: until the deadline it has done what it wanted.
    void yield(Nanos now) {
        m_current->m_budget = std::min(m_current->m_budget, Nanos{});
        put_back(now);
    }
    void sleep(Nanos) { leave(EntityState::asleep); }
    /// When an entity that waits has a budget.
    static Nanos runs_from(Entity const& entity, Nanos now) {
        CHECK(entity.m_state == EntityState::waiting);
        return entity.m_is_throttled ? entity.m_deadline : now;
    }
    bool preempts(Entity const& entity, Nanos) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        return !entity.m_is_throttled && entity.m_deadline < m_current->m_deadline;
    }

    /// Throttled ones wait, too.
    usize runnable() const {
        return m_waiting.size() + m_throttled.size() + (m_current == nullptr ? 0 : 1);
    }
    Entity* current() const { return m_current; }
    /// What is guaranteed, or was and is not free yet, of `whole`.
    u64 given() const { return m_given; }

private:
    struct ByDeadline {
        static bool before(Entity const& a, Entity const& b) {
            return a.m_deadline != b.m_deadline ? a.m_deadline < b.m_deadline
                                                : a.m_sequence < b.m_sequence;
        }
    };

    static u64 share_of(Parameters const& parameters) {
        // runtime <= period < 2^43: the product needs 75 bits.
        auto const scaled = static_cast<unsigned __int128>(parameters.runtime.value) << share_bits;
        auto const period = static_cast<u64>(parameters.period.value);
        return static_cast<u64>((scaled + period - 1) / period);
    }
    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }
    Result<void> give(u64 share, Nanos now) {
        if (m_leaving_until <= now) {
            m_given -= std::exchange(m_leaving, 0);
        }
        if (share > m_limit || m_given > m_limit - share) {
            return Error::no_space;
        }
        m_given += share;
        return {};
    }
    void take_back(u64 share, Nanos deadline, Nanos now) {
        if (deadline <= now) {
            m_given -= share;
            return;
        }
        m_leaving += share;
        m_leaving_until = std::max(m_leaving_until, deadline);
    }
    /// No more than its share of the time until its deadline.
    static void limit_budget(Entity& entity, Nanos now) {
        i64 const ahead = std::max<i64>((entity.m_deadline - now).value, 0);
        auto const may = static_cast<__int128>(ahead) * entity.m_parameters.runtime.value /
                         entity.m_parameters.period.value;
        entity.m_budget = std::min(entity.m_budget, Nanos{static_cast<i64>(may)});
    }
    static bool may_start_anew(Entity const& entity, Nanos now) {
        if (entity.m_deadline <= now) {
            return true;
        }
        // budget / (deadline - now) > runtime / period, without a division.
        auto const have =
            static_cast<__int128>(entity.m_budget.value) * entity.m_parameters.period.value;
        auto const may = static_cast<__int128>((entity.m_deadline - now).value) *
                         entity.m_parameters.runtime.value;
        return have > may;
    }
    Entity& leave(EntityState to) {
        CHECK(m_current != nullptr);
        move(*m_current, EntityState::current, to);
        return *std::exchange(m_current, nullptr);
    }
    void add(Entity& entity) {
        entity.m_sequence = m_sequence++;
        entity.m_is_throttled = entity.m_budget <= Nanos{};
        (entity.m_is_throttled ? m_throttled : m_waiting).add(entity);
    }
    /// Those whose deadline has come get their budget for the next one, less what they owe.
    void fill(Nanos now) {
        while (!m_throttled.empty() && m_throttled.first()->m_deadline <= now) {
            Entity& entity = *m_throttled.first();
            m_throttled.remove(entity);
            entity.m_budget = entity.m_budget + entity.m_parameters.runtime;
            entity.m_deadline = entity.m_deadline + entity.m_parameters.period;
            add(entity);
        }
    }

    u64 m_limit;
    u64 m_given = 0;   ///< what is leaving included
    u64 m_leaving = 0; ///< shares that were given back before their deadlines
    Nanos m_leaving_until{};
    u64 m_sequence = 0;
    Entity* m_current = nullptr;
    OrderedTree<Entity, ByDeadline> m_waiting;
    OrderedTree<Entity, ByDeadline> m_throttled; ///< filled at their deadlines
};
static_assert(Policy<Edf>);

} // namespace twofold::sched
