// `eevdf`: weighted fair queueing by eligibility and virtual deadlines. Each entity asks for the
// processor in requests of a few milliseconds. It may begin one when it has received no more than
// its share (it is *eligible*); of those who may, the one whose request is due first runs. A short
// request is due sooner, so it buys latency without buying time.
//
// Derivation. In the ideal schedule all entities run at once, entity i at the rate w_i / W, where W
// is the sum of the weights. Virtual time V advances by 1 / W for each nanosecond that is used, so
// that in the ideal schedule entity i receives w_i for each unit of V. v_i counts what it really
// received in the same unit: used / w_i. Its lag is w_i (V - v_i): what it is owed. It is eligible
// if v_i <= V, and a request of r is due at v_i + r / w_i.
//
// Who may come and go at any time must not disturb the others:
//  - who goes to sleep ahead of its share keeps its weight until V has caught up with it, as if it
//    went on in the ideal schedule, and comes back with what it still owes;
//  - who leaves the queue altogether while it is ahead leaves its weight behind until then,
//  together
//    with that of all others who did (the *estate*: their weights, and their mean v);
//  - who goes to sleep behind its share gives up the rest; V is not changed by that. Nobody may be
//    eligible then for a while, and V goes on to the least v_i;
//  - who gets more weight is joined by another one that has received V, but not before v_i >= V;
//    who gets less is left by a part of itself that has received v_i, as above.
// Then every lag stays within one request (the longest of all), whatever joins, leaves and changes
// of weight happen, if nobody runs longer than its slice. Below: an entity runs only when v_i <= V,
// one request at most, and V never goes back. Above: let D be a deadline and t the last time at
// which a request began that is due after D. Then no request due by D was eligible, so what is due
// by D of those who were there begins at V(t) or later, and of those who came, where they came. The
// processor has room for that, W for each unit of V, and loses one request at most to what began at
// t; so a request begins while its lag is no more than what is left of it and a part w_i / W of
// what was lost, together one request at most. A test beside an exact model holds both for ten
// million random events (tests/core/sched/eevdf.host.cpp).
//
// Entities that wait lie in a tree in the order of their deadlines; each knows the least v_i of its
// subtree, so the search for the first deadline of the eligible is one way down. Every call is
// O(log n); V and the numbers that decide are integers of 128 bits, which do not wrap around.
//
// Sources: I. Stoica and H. Abdel-Wahab, "Earliest eligible virtual deadline first", Old Dominion
// University TR-95-22, 1995; J. Bennett and H. Zhang, "Hierarchical packet fair queueing
// algorithms", SIGCOMM 1996 (WF2Q+: the virtual time, and who comes back with a debt).
#pragma once

#include "core/sched/ordered_tree.hpp"
#include "core/sched/policy.hpp"

namespace twofold::sched {

/// 2^52 for each nanosecond that an entity of weight 1 has used.
using VirtualTime = __int128;

/// How much virtual time goes by for a weight, without a division.
class VirtualRate {
public:
    static constexpr u32 scale_bits = 52;

    VirtualRate() = default;
    explicit VirtualRate(u64 weight) : m_inverse((u64{1} << inverse_bits) / weight) {}

    VirtualTime of(Nanos used) const {
        auto const product = static_cast<unsigned __int128>(used.value) * m_inverse;
        return static_cast<VirtualTime>(product >> (inverse_bits - scale_bits));
    }

private:
    static constexpr u32 inverse_bits = 63;

    u64 m_inverse = 0;
};

struct EevdfParameters {
    u32 weight = 1024;
    Nanos request{3'000'000};
};

class EevdfEntity : public EntityTag, public TreeNode<EevdfEntity> {
public:
    EevdfEntity() = default;
    explicit EevdfEntity(VirtualTime debt) : m_debt(debt) {}

    /// What it is ahead by while it is absent; another entity can take it over.
    VirtualTime debt() const { return m_debt; }
    u64 weight() const { return m_weight; } ///< that counts; a change may still be to come

private:
    friend class Eevdf;

    EntityState m_state = EntityState::absent;
    bool m_is_departing = false; ///< asleep or gone, and still counted
    bool m_change_waits = false; ///< what is wanted is not what counts yet
    EevdfParameters m_wanted;
    u64 m_weight = 0;
    Nanos m_request{};
    VirtualRate m_rate;
    VirtualTime m_received = 0; ///< v_i
    VirtualTime m_due = 0;      ///< of the request that it is in
    VirtualTime m_least = 0;    ///< the least m_received of its subtree
    u64 m_sequence = 0;         ///< decides between equals: who came first
    VirtualTime m_debt = 0;     ///< while it is absent: the service that it was ahead by, scaled
};

class Eevdf {
public:
    using Entity = EevdfEntity;
    using Parameters = EevdfParameters;

    static constexpr std::string_view name = "eevdf";
    static constexpr bool refuses_nobody = true;
    static constexpr u32 weight_max = 1u << 20;
    static constexpr Nanos request_min{10'000};
    static constexpr Nanos request_max{1'000'000'000};

    Eevdf() = default;
    Eevdf(Eevdf const&) = delete;
    Eevdf& operator=(Eevdf const&) = delete;
    ~Eevdf() {
        if (m_estate.m_is_departing) {
            let_go(m_estate);
        }
        CHECK(m_weight == 0);
    }

    static Result<void> check(Parameters const& parameters) {
        bool const fits = parameters.weight >= 1 && parameters.weight <= weight_max &&
                          parameters.request >= request_min && parameters.request <= request_max;
        return fits ? Result<void>() : Result<void>(Error::out_of_range);
    }

    static bool stronger(Parameters const& a, Parameters const& b) { return a.weight > b.weight; }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state == EntityState::absent);
        TRY(check(parameters));
        entity.m_wanted = parameters;
        adopt(entity);
        entity.m_state = EntityState::asleep;
        entity.m_received =
            m_virtual + std::exchange(entity.m_debt, 0) / static_cast<VirtualTime>(entity.m_weight);
        if (entity.m_received > m_virtual) {
            add_weight(entity.m_weight); // it comes from another queue, where it was ahead
            depart(entity);
        }
        return {};
    }

    /// Takes effect at once where the entity is not late, else at the end of a request.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state != EntityState::absent);
        TRY(check(parameters));
        entity.m_wanted = parameters;
        entity.m_change_waits = true;
        if (!is_counted(entity)) {
            adopt(entity);
        } else if (may_convert(entity, false) && &entity != m_current) {
            bool const departs = entity.m_is_departing;
            departs ? m_departing.remove(entity) : m_waiting.remove(entity);
            convert(entity);
            departs ? m_departing.add(entity) : m_waiting.add(entity);
            advance_to(m_virtual); // a debt may have been rounded to nothing
        }
        return {};
    }

    void expel(Entity& entity, Nanos) {
        move(entity, EntityState::asleep, EntityState::absent);
        if (entity.m_is_departing) {
            entity.m_debt = service(entity.m_received - m_virtual, entity.m_weight);
            m_departing.remove(entity);
            entity.m_is_departing = false;
            bequeath(entity.m_weight, entity.m_received);
        }
        entity.m_change_waits = false;
    }

    void wake(Entity& entity, Nanos) {
        move(entity, EntityState::asleep, EntityState::waiting);
        if (entity.m_is_departing) {
            m_departing.remove(entity);
            entity.m_is_departing = false;
        } else {
            entity.m_received = m_virtual;
            add_weight(entity.m_weight);
        }
        begin_request(entity);
        add(entity);
    }

    void cancel(Entity& entity, Nanos) {
        move(entity, EntityState::waiting, EntityState::asleep);
        m_waiting.remove(entity);
        fall_asleep(entity);
    }

    Choice<Entity> pick(Nanos) {
        CHECK(m_current == nullptr);
        if (m_waiting.empty()) {
            return {};
        }
        if (m_waiting.root()->m_least > m_virtual) {
            advance_to(m_waiting.root()->m_least);
        }
        Entity& entity = first_eligible();
        m_waiting.remove(entity);
        move(entity, EntityState::waiting, EntityState::current);
        m_current = &entity;
        return {&entity, slice_of(entity)};
    }

    void charge(Nanos used, Nanos) {
        CHECK(m_current != nullptr && used >= Nanos{});
        Entity& entity = *m_current;
        entity.m_received += entity.m_rate.of(used);
        advance_by(used);
        if (slice_of(entity) <= Nanos{}) {
            if (may_convert(entity, true)) {
                convert(entity);
            }
            begin_request(entity);
        }
    }

    void put_back(Nanos) { add(leave(EntityState::waiting)); }

    /// The rest of the request, and one more, are due a request later.
    void yield(Nanos) {
        Entity& entity = leave(EntityState::waiting);
        entity.m_due += entity.m_rate.of(entity.m_request);
        add(entity);
    }

    void sleep(Nanos) { fall_asleep(leave(EntityState::asleep)); }

    bool preempts(Entity const& entity, Nanos) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        return entity.m_received <= m_virtual && entity.m_due < m_current->m_due;
    }

    usize runnable() const { return m_waiting.size() + (m_current == nullptr ? 0 : 1); }
    Entity* current() const { return m_current; }

    /// What an entity is owed as against the ideal schedule; negative: it is ahead. Who sleeps is
    /// owed nothing. For an entity that is not absent. O(1).
    Nanos lag(Entity const& entity) const {
        if (!is_counted(entity)) {
            return {};
        }
        VirtualTime const owed = service(m_virtual - entity.m_received, entity.m_weight);
        return {static_cast<i64>(owed >> VirtualRate::scale_bits)};
    }
    VirtualTime virtual_time() const { return m_virtual; }
    u64 weight() const { return m_weight; } ///< of all that count
    /// Whether trees, summaries and the sum of weights agree. O(n).
    bool is_sound() const;

private:
    struct ByDue {
        static bool before(Entity const& a, Entity const& b) {
            return a.m_due != b.m_due ? a.m_due < b.m_due : a.m_sequence < b.m_sequence;
        }
        static bool summarise(Entity& entity, Entity const* left, Entity const* right) {
            VirtualTime const before = entity.m_least;
            entity.m_least = least(entity, left, right);
            return entity.m_least != before;
        }
        static VirtualTime least(Entity const& entity, Entity const* left, Entity const* right) {
            VirtualTime found = entity.m_received;
            for (Entity const* child : {left, right}) {
                found = child == nullptr ? found : std::min(found, child->m_least);
            }
            return found;
        }
    };
    struct ByReceived {
        static bool before(Entity const& a, Entity const& b) {
            return a.m_received != b.m_received ? a.m_received < b.m_received
                                                : a.m_sequence < b.m_sequence;
        }
    };

    /// A stretch of virtual time as what a weight receives in it.
    static VirtualTime service(VirtualTime stretch, u64 weight) {
        return stretch * static_cast<VirtualTime>(weight);
    }
    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }
    /// What is wanted counts from now on.
    static void adopt(Entity& entity) {
        entity.m_weight = entity.m_wanted.weight;
        entity.m_request = entity.m_wanted.request;
        entity.m_rate = VirtualRate(entity.m_weight);
        entity.m_change_waits = false;
    }
    /// Whether a change that is wanted may be made now. `begins`: no request is under way.
    bool may_convert(Entity const& entity, bool begins) const {
        if (!entity.m_change_waits) [[likely]] {
            return false;
        }
        bool const is_late = lag(entity) > Nanos{}; // by a nanosecond at least
        return !is_late || (begins && entity.m_wanted.weight <= entity.m_weight);
    }
    /// Makes it, for an entity that is counted, and in no tree.
    void convert(Entity& entity) {
        VirtualTime const left = service(entity.m_due - entity.m_received, entity.m_weight);
        u64 const before = entity.m_weight;
        adopt(entity);
        if (entity.m_weight > before) {
            VirtualTime const ahead = service(entity.m_received - m_virtual, before);
            entity.m_received = m_virtual + ahead / static_cast<VirtualTime>(entity.m_weight);
            add_weight(entity.m_weight - before);
        } else if (entity.m_received > m_virtual) {
            bequeath(before - entity.m_weight, entity.m_received);
        } else {
            remove_weight(before - entity.m_weight);
        }
        entity.m_due = entity.m_received + std::min(
                                               left / static_cast<VirtualTime>(entity.m_weight),
                                               entity.m_rate.of(entity.m_request));
    }
    static void begin_request(Entity& entity) {
        entity.m_due = entity.m_received + entity.m_rate.of(entity.m_request);
    }
    /// What is left of the request that it is in.
    static Nanos slice_of(Entity const& entity) {
        VirtualTime const left = service(entity.m_due - entity.m_received, entity.m_weight);
        constexpr VirtualTime half = VirtualTime{1} << (VirtualRate::scale_bits - 1);
        return {static_cast<i64>((left + half) >> VirtualRate::scale_bits)};
    }
    static bool is_counted(Entity const& entity) {
        return entity.m_state != EntityState::asleep || entity.m_is_departing;
    }

    Entity& leave(EntityState to) {
        CHECK(m_current != nullptr);
        move(*m_current, EntityState::current, to);
        return *std::exchange(m_current, nullptr);
    }
    void add(Entity& entity) {
        entity.m_sequence = m_sequence++;
        m_waiting.add(entity);
    }
    void fall_asleep(Entity& entity) {
        if (entity.m_received <= m_virtual) {
            remove_weight(entity.m_weight);
            adopt(entity);
            return;
        }
        if (entity.m_change_waits) {
            convert(entity);
        }
        depart(entity);
        advance_to(m_virtual); // a debt may have been rounded to nothing
    }
    void depart(Entity& entity) {
        entity.m_is_departing = true;
        entity.m_sequence = m_sequence++;
        m_departing.add(entity);
    }
    /// What is gone, and ahead of its share, joins the estate and stays counted there.
    void bequeath(u64 weight, VirtualTime received) {
        if (weight == 0) {
            return;
        }
        VirtualTime owed = service(received - m_virtual, weight);
        if (m_estate.m_is_departing) {
            m_departing.remove(m_estate);
            owed += service(m_estate.m_received - m_virtual, m_estate.m_weight);
            weight += m_estate.m_weight;
        }
        m_estate.m_weight = weight;
        m_estate.m_received = m_virtual + owed / static_cast<VirtualTime>(weight);
        depart(m_estate);
        advance_to(m_virtual); // a debt may have been rounded to nothing
    }
    void let_go(Entity& entity) {
        m_departing.remove(entity);
        entity.m_is_departing = false;
        remove_weight(entity.m_weight);
    }
    void add_weight(u64 weight) { set_weight(m_weight + weight); }
    void remove_weight(u64 weight) {
        CHECK(m_weight >= weight);
        set_weight(m_weight - weight);
    }
    void set_weight(u64 weight) {
        m_weight = weight;
        m_rate = weight == 0 ? VirtualRate() : VirtualRate(weight);
    }

    void advance_to(VirtualTime time) {
        m_virtual = time;
        while (!m_departing.empty() && m_departing.first()->m_received <= m_virtual) {
            let_go(*m_departing.first());
        }
    }
    /// `used` has been used by the current entity, which counts.
    void advance_by(Nanos used) {
        if (m_departing.empty()) [[likely]] {
            m_virtual += m_rate.of(used);
            return;
        }
        auto left = static_cast<VirtualTime>(used.value) << VirtualRate::scale_bits;
        while (!m_departing.empty()) {
            // Until V reaches who is ahead by the least, its weight counts.
            VirtualTime const first = m_departing.first()->m_received;
            VirtualTime const until = service(first - m_virtual, m_weight);
            if (until > left) {
                break;
            }
            left -= until;
            advance_to(first);
        }
        auto const whole = static_cast<i64>(left >> VirtualRate::scale_bits);
        auto const fraction =
            static_cast<u64>(left - (static_cast<VirtualTime>(whole) << VirtualRate::scale_bits));
        m_virtual += m_rate.of({whole}) + (fraction == 0 ? 0 : fraction / m_weight);
    }

    /// The one with the first deadline of those that are eligible; there is one.
    Entity& first_eligible() const {
        if (m_waiting.first()->m_received <= m_virtual) [[likely]] {
            return *m_waiting.first();
        }
        Entity* place = m_waiting.root();
        while (true) {
            Entity* const left = m_waiting.left(*place);
            if (left != nullptr && left->m_least <= m_virtual) {
                place = left;
            } else if (place->m_received <= m_virtual) {
                return *place;
            } else {
                place = m_waiting.right(*place);
                CHECK(place != nullptr);
            }
        }
    }

    VirtualTime m_virtual = 0;
    VirtualRate m_rate; ///< of all weights together
    u64 m_weight = 0;
    u64 m_sequence = 0;
    Entity* m_current = nullptr;
    Entity m_estate; ///< stands for all who have left ahead of their share
    OrderedTree<Entity, ByDue> m_waiting;
    OrderedTree<Entity, ByReceived> m_departing; ///< asleep, ahead of their share
};
static_assert(Policy<Eevdf>);

} // namespace twofold::sched
