// `inference`: requests to models, each to be answered within a bound, and training behind them. It
// waits as long as it can, so that interactive work and batches of throughput go first and requests
// gather; it runs in its place in the order of the classes only when the bounds force it to, and
// otherwise in time that nobody wants.
//
// A request begins when its entity wakes and ends when it sleeps. It is due at d = wake + bound,
// and `estimate` says how long it computes; rest is what is left of that.
//
// Derivation. Let the requests that wait be in the order of d. The slack of the class at t is
//      S(t) = min over k of  d_k - t - (rest_1 + ... + rest_k).
// While S > 0 it does not matter who runs, for S at least. When S is 0, the first one must run, and
// while it does, S stays: its rest is in every sum. So:
//
//      if S >= 0 after each arrival, and the class gets the processor whenever S is 0, then every
//      request that computes no longer than its estimate ends by d,
//
// whatever ran before. (S >= 0 is the condition under which any schedule can do that at all, so no
// bound is missed that could be kept.) Whoever computes for longer has its bound no more and goes
// on in spare time, so that a wrong estimate is paid for by who gave it. The class counts as urgent
// a `margin` before S is 0.
//
// When it runs in spare time the choice is free, and it chooses so that a model's weights stay in
// the cache: requests of the same model run back to back in the order of arrival, up to the batch
// limit of who began; then the first deadline begins another batch. The slice ends when the class
// becomes urgent. Training runs when no request waits, in turns.
//
// Requests lie in a tree by d; each node knows the sum of the rests below it, and the least of
// d_k - (sum up to k): S is at the root. Every call is O(log n).
//
// Sources of the ideas: D. Crankshaw et al., "Clipper", NSDI 2017 (batches within a bound);
// H. Shen et al., "Nexus", SOSP 2019 (a batch a model, by deadline); A. Gujarati et al., "Serving
// DNNs like Clockwork", OSDI 2020 (durations are known well enough to plan with). Of the sums:
// M. Dertouzos, "Control robotics", IFIP 1974 (the first deadline is optimal).
#pragma once

#include "core/sched/ordered_tree.hpp"
#include "core/sched/policy.hpp"

#include <algorithm>

namespace twofold::sched {

enum class InferenceKind : u8 { request, training };

struct InferenceParameters {
    InferenceKind kind = InferenceKind::request;
    u8 model = 0;               ///< whose weights it reads, up to 63
    u16 batch_limit = 8;        ///< requests of a model, back to back
    Nanos bound{100'000'000};   ///< from waking to the end
    Nanos estimate{10'000'000}; ///< of the computation, no more than the bound
};

class InferenceEntity : public EntityTag, public TreeNode<InferenceEntity>, public ListNode<> {
public:
    Nanos deadline() const { return m_deadline; }
    Nanos rest() const { return m_rest; }
    bool is_request() const { return m_parameters.kind == InferenceKind::request; }
    /// Whether it has a bound that is to be kept.
    bool is_timely() const { return is_request() && m_rest > Nanos{}; }

private:
    friend class Inference;

    InferenceParameters m_parameters;
    EntityState m_state = EntityState::absent;
    bool m_has_begun = false; ///< the request counts in a batch
    Nanos m_deadline{};
    Nanos m_rest{};
    u64 m_sequence = 0;
    Nanos m_sum{};      ///< of the rests of its subtree
    Nanos m_earliest{}; ///< the least of d_k - (sum up to k) in its subtree
};

class Inference {
public:
    using Entity = InferenceEntity;
    using Parameters = InferenceParameters;

    static constexpr std::string_view name = "inference";
    static constexpr bool refuses_nobody = true;
    static constexpr u8 models = 64;
    static constexpr Nanos estimate_min{10'000};
    static constexpr Nanos bound_max{i64{1} << 42}; ///< more than an hour
    static constexpr Nanos quantum{10'000'000};     ///< of training, and of who ran too long
    static constexpr Nanos margin{20'000};

    static Result<void> check(Parameters const& parameters) {
        if (parameters.model >= models || parameters.batch_limit == 0 ||
            parameters.estimate < estimate_min || parameters.bound > bound_max) {
            return Error::out_of_range;
        }
        return parameters.estimate <= parameters.bound ? Result<void>()
                                                       : Result<void>(Error::invalid_argument);
    }
    static bool stronger(Parameters const& a, Parameters const& b) {
        return a.kind != b.kind ? a.kind == InferenceKind::request : a.bound < b.bound;
    }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state == EntityState::absent);
        TRY(check(parameters));
        entity.m_parameters = parameters;
        entity.m_rest = {};
        entity.m_state = EntityState::asleep;
        return {};
    }
    /// A request that is under way keeps its deadline and what is left of it.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state != EntityState::absent);
        TRY(check(parameters));
        bool const waits = entity.m_state == EntityState::waiting;
        if (waits) {
            unlink(entity);
        }
        bool const was_request = entity.is_request();
        entity.m_parameters = parameters;
        entity.m_rest = was_request ? std::min(entity.m_rest, parameters.estimate) : Nanos{};
        if (waits) {
            link(entity);
        }
        return {};
    }
    void expel(Entity& entity, Nanos) { move(entity, EntityState::asleep, EntityState::absent); }
    void wake(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::waiting);
        entity.m_deadline = now + entity.m_parameters.bound;
        entity.m_rest = entity.is_request() ? entity.m_parameters.estimate : Nanos{};
        entity.m_has_begun = false;
        link(entity);
    }
    void cancel(Entity& entity, Nanos) {
        move(entity, EntityState::waiting, EntityState::asleep);
        unlink(entity);
    }

    /// Only when the bounds force it to.
    Choice<Entity> pick(Nanos now) {
        CHECK(m_current == nullptr);
        if (m_requests.empty()) {
            return {};
        }
        Nanos const from = urgent_from();
        if (from > now) {
            return {nullptr, from - now};
        }
        return take(*m_requests.first(), now, m_requests.first()->m_rest);
    }
    /// Who goes on with the batch, or begins one; then who ran too long; then training.
    Choice<Entity> pick_spare(Nanos now) {
        CHECK(m_current == nullptr);
        if (!m_requests.empty()) {
            auto const& mates = m_of_model[m_model];
            Entity& entity =
                m_batch_left > 0 && !mates.empty() ? mates.front() : *m_requests.first();
            return take(entity, now, entity.m_rest);
        }
        if (m_late.empty() && m_training.empty()) {
            return {};
        }
        return take((m_late.empty() ? m_training : m_late).front(), now, quantum);
    }
    void charge(Nanos used, Nanos) {
        CHECK(m_current != nullptr && used >= Nanos{});
        m_current->m_rest = std::max(m_current->m_rest - used, Nanos{});
    }
    /// A request goes on before its model's others: it has begun.
    void put_back(Nanos) { link(leave(EntityState::waiting)); }
    /// Gives its bound up: it waits for spare time from now on.
    void yield(Nanos) {
        Entity& entity = leave(EntityState::waiting);
        entity.m_rest = {};
        link(entity);
    }
    void sleep(Nanos) { leave(EntityState::asleep); }

    /// When an entity that waits may run in the class's place, or one that is due before it.
    Nanos runs_from(Entity const& entity, Nanos) const {
        return entity.is_timely() ? urgent_from() : never;
    }
    /// Also when what was decided for the current entity holds no more.
    bool preempts(Entity const& entity, Nanos) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        if (rank(entity) != rank(*m_current)) {
            return rank(entity) < rank(*m_current);
        }
        return entity.is_timely() && entity.m_deadline < m_current->m_deadline &&
               urgent_from() < m_slice_end;
    }
    usize runnable() const {
        return m_requests.size() + m_late.size() + m_training.size() +
               (m_current == nullptr ? 0 : 1);
    }
    Entity* current() const { return m_current; }
    /// When the class becomes urgent: `margin` before its slack is gone. Never: no request waits.
    Nanos urgent_from() const {
        return m_requests.empty() ? never : m_requests.root()->m_earliest - margin;
    }

private:
    struct ByDeadline {
        static bool before(Entity const& a, Entity const& b) {
            return a.m_deadline != b.m_deadline ? a.m_deadline < b.m_deadline
                                                : a.m_sequence < b.m_sequence;
        }
        static bool summarise(Entity& entity, Entity const* left, Entity const* right) {
            Nanos const sum = entity.m_sum;
            Nanos const earliest = entity.m_earliest;
            Nanos const upto = (left == nullptr ? Nanos{} : left->m_sum) + entity.m_rest;
            entity.m_earliest = entity.m_deadline - upto;
            entity.m_sum = upto;
            if (left != nullptr) {
                entity.m_earliest = std::min(entity.m_earliest, left->m_earliest);
            }
            if (right != nullptr) {
                entity.m_earliest = std::min(entity.m_earliest, right->m_earliest - upto);
                entity.m_sum = upto + right->m_sum;
            }
            return entity.m_sum != sum || entity.m_earliest != earliest;
        }
    };
    using List = IntrusiveList<Entity>;

    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }
    static u32 rank(Entity const& entity) {
        return entity.is_timely() ? 0 : entity.is_request() ? 1 : 2;
    }
    Entity& leave(EntityState to) {
        CHECK(m_current != nullptr);
        move(*m_current, EntityState::current, to);
        return *std::exchange(m_current, nullptr);
    }
    List& list(Entity const& entity) {
        return entity.is_timely()    ? m_of_model[entity.m_parameters.model]
               : entity.is_request() ? m_late
                                     : m_training;
    }
    void link(Entity& entity) {
        if (!entity.is_timely()) {
            list(entity).push_back(entity);
            return;
        }
        entity.m_sequence = m_sequence++;
        m_requests.add(entity);
        entity.m_has_begun ? list(entity).push_front(entity) : list(entity).push_back(entity);
    }
    void unlink(Entity& entity) {
        list(entity).remove(entity);
        if (entity.is_timely()) {
            m_requests.remove(entity);
        }
    }
    Choice<Entity> take(Entity& entity, Nanos now, Nanos slice) {
        unlink(entity);
        move(entity, EntityState::waiting, EntityState::current);
        m_current = &entity;
        if (entity.is_timely() && !std::exchange(entity.m_has_begun, true)) {
            count_in_batch(entity);
        }
        // Nobody is due before the first one, so it need not end for the others.
        bool const is_first =
            m_requests.empty() || !ByDeadline::before(*m_requests.first(), entity);
        Nanos const until = urgent_from();
        if (!is_first && until > now) {
            slice = std::min(slice, until - now);
        }
        m_slice_end = now + slice;
        return {&entity, slice};
    }
    void count_in_batch(Entity const& entity) {
        if (entity.m_parameters.model != m_model || m_batch_left == 0) {
            m_model = entity.m_parameters.model;
            m_batch_left = entity.m_parameters.batch_limit;
        }
        --m_batch_left;
    }

    OrderedTree<Entity, ByDeadline> m_requests; ///< those that wait, with a bound
    List m_of_model[models];                    ///< the same, a list for each model
    List m_late;                                ///< have computed for longer than they said
    List m_training;
    Entity* m_current = nullptr;
    Nanos m_slice_end{};
    u64 m_sequence = 0;
    u32 m_batch_left = 0;
    u8 m_model = 0; ///< of the batch
};
static_assert(Policy<Inference>);

} // namespace twofold::sched
