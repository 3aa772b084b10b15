// `stride`: proportional shares, deterministic. Each entity has tickets; its pass grows by
// used / tickets, and the one with the least pass runs, a quantum at a time. After any time two
// entities that both always wait differ by one quantum at most in used / tickets.
//
// Who wakes begins at the least pass of the queue if its own lies behind: sleeping earns nothing.
//
// The order is kept in one of two forms that decide alike (tests/core/sched/stride.host.cpp):
//
//  - StrideRing, a sorted ring of packed descriptors of 16 bytes, four to a cache line. Who comes
//  off
//    the processor goes to its place from the nearer end: with many tickets that is the front, with
//    few the back, with equal tickets the very end. No descriptor leads to another one, so what a
//    decision reads lies in one line. Taking the first is O(1), putting it back O(d), d being how
//    many lie between its place and the nearer end, 16 bytes each.
//  - StrideTree, the same order in a tree: everything O(log n), a cache miss for each step.
//
// Source: C. Waldspurger and W. Weihl, "Stride scheduling: deterministic proportional-share
// resource management", MIT/LCS/TM-528, 1995.
#pragma once

#include "core/sched/ordered_tree.hpp"
#include "core/sched/policy.hpp"

#include <bit>
#include <span>

namespace twofold::sched {

struct StrideParameters {
    u32 tickets = 1024;
    Nanos quantum{3'000'000};
};

class StrideEntity : public EntityTag, public TreeNode<StrideEntity> {
public:
    u64 pass() const { return m_pass; }
    u32 tickets() const { return m_parameters.tickets; }

private:
    template<class>
    friend class StrideQueue;
    friend class StrideRing;
    friend class StrideTree;

    EntityState m_state = EntityState::absent;
    StrideParameters m_parameters;
    u64 m_stride = 0; ///< of pass for a nanosecond, times 2^20
    u64 m_pass = 0;   ///< 2^20 for a nanosecond with one ticket; wraps around
    u64 m_sequence = 0;
};

/// Where an entity waits, as the ring keeps it.
struct StrideDescriptor {
    u64 pass;
    StrideEntity* entity;

    /// Passes lie close together, so their difference says which is less, whatever has wrapped.
    static bool before(u64 a, u64 b) { return static_cast<i64>(a - b) < 0; }
};
static_assert(sizeof(StrideDescriptor) == 16 && alignof(StrideDescriptor) == 8);

/// The order as a sorted ring in memory that the owner hands over, of a power of two of places.
class StrideRing {
public:
    explicit StrideRing(std::span<StrideDescriptor> places)
        : m_places(places), m_mask(places.size() - 1) {
        CHECK(std::has_single_bit(places.size()));
    }

    usize capacity() const { return m_places.size(); }
    usize size() const { return m_size; }
    StrideEntity* first() const { return m_size == 0 ? nullptr : at(0).entity; }

    /// Behind all that have the same pass. O(distance to the nearer end).
    void add(StrideEntity& entity) {
        CHECK(m_size < capacity());
        usize const place = first_behind(entity.m_pass);
        if (place < m_size / 2) {
            --m_begin;
            ++m_size;
            for (usize i = 0; i < place; ++i) {
                at(i) = at(i + 1);
            }
        } else {
            ++m_size;
            for (usize i = m_size - 1; i > place; --i) {
                at(i) = at(i - 1);
            }
        }
        at(place) = {entity.m_pass, &entity};
    }
    void remove(StrideEntity& entity) {
        usize const place = place_of(entity);
        if (place < m_size / 2) {
            for (usize i = place; i > 0; --i) {
                at(i) = at(i - 1);
            }
            ++m_begin;
        } else {
            for (usize i = place; i + 1 < m_size; ++i) {
                at(i) = at(i + 1);
            }
        }
        --m_size;
    }

private:
    StrideDescriptor& at(usize index) const { return m_places[(m_begin + index) & m_mask]; }

    /// How many have no greater pass. Looked for from the back, then by halves.
    usize first_behind(u64 pass) const {
        if (m_size == 0 || !StrideDescriptor::before(pass, at(m_size - 1).pass)) {
            return m_size;
        }
        usize low = 0;
        usize high = m_size - 1; // it has a greater pass
        while (low < high) {
            usize const middle = low + (high - low) / 2;
            if (StrideDescriptor::before(pass, at(middle).pass)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }
    usize place_of(StrideEntity const& entity) const {
        usize place = m_size == 0 || &entity == at(0).entity ? 0 : first_behind(entity.m_pass) - 1;
        while (at(place).entity != &entity) {
            CHECK(place > 0 && at(place).pass == entity.m_pass);
            --place;
        }
        return place;
    }

    std::span<StrideDescriptor> m_places;
    usize m_mask;
    usize m_begin = 0;
    usize m_size = 0;
};

/// The same order as a tree; there is always room.
class StrideTree {
public:
    static constexpr usize capacity() { return ~usize{0}; }
    usize size() const { return m_tree.size(); }
    StrideEntity* first() const { return m_tree.first(); }
    void add(StrideEntity& entity) {
        entity.m_sequence = m_sequence++;
        m_tree.add(entity);
    }
    void remove(StrideEntity& entity) { m_tree.remove(entity); }

private:
    struct ByPass {
        static bool before(StrideEntity const& a, StrideEntity const& b) {
            return a.m_pass != b.m_pass ? StrideDescriptor::before(a.m_pass, b.m_pass)
                                        : a.m_sequence < b.m_sequence;
        }
    };

    u64 m_sequence = 0;
    OrderedTree<StrideEntity, ByPass> m_tree;
};

template<class Order>
class StrideQueue {
public:
    using Entity = StrideEntity;
    using Parameters = StrideParameters;

    static constexpr std::string_view name = "stride";
    static constexpr u32 tickets_max = 1u << 20;
    static constexpr Nanos quantum_min{10'000};
    static constexpr Nanos quantum_max{1'000'000'000};

    /// `arguments` make the order: places for a ring, nothing for a tree.
    template<class... Arguments>
    explicit StrideQueue(Arguments const&... arguments) : m_order(arguments...) {}
    StrideQueue(StrideQueue const&) = delete;
    StrideQueue& operator=(StrideQueue const&) = delete;
    ~StrideQueue() { CHECK(m_admitted == 0); }

    static Result<void> check(Parameters const& parameters) {
        bool const fits = parameters.tickets >= 1 && parameters.tickets <= tickets_max &&
                          parameters.quantum >= quantum_min && parameters.quantum <= quantum_max;
        return fits ? Result<void>() : Result<void>(Error::out_of_range);
    }

    static bool stronger(Parameters const& a, Parameters const& b) { return a.tickets > b.tickets; }

    /// Errors: also no_space (the ring has no place for one more).
    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state == EntityState::absent);
        TRY(check(parameters));
        if (m_admitted == m_order.capacity()) {
            return Error::no_space;
        }
        ++m_admitted;
        set_parameters(entity, parameters);
        entity.m_pass = m_least;
        entity.m_state = EntityState::asleep;
        return {};
    }
    /// The distance to the least pass shrinks as the tickets grow, so that what it owes stays.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos) {
        CHECK(entity.m_state != EntityState::absent);
        TRY(check(parameters));
        bool const waits = entity.m_state == EntityState::waiting;
        if (waits) {
            m_order.remove(entity);
        }
        if (StrideDescriptor::before(m_least, entity.m_pass)) {
            auto const owes = static_cast<unsigned __int128>(entity.m_pass - m_least) *
                              entity.m_parameters.tickets;
            entity.m_pass = m_least + static_cast<u64>(owes / parameters.tickets);
        }
        set_parameters(entity, parameters);
        if (waits) {
            m_order.add(entity);
        }
        return {};
    }
    void expel(Entity& entity, Nanos) {
        move(entity, EntityState::asleep, EntityState::absent);
        --m_admitted;
    }
    void wake(Entity& entity, Nanos) {
        move(entity, EntityState::asleep, EntityState::waiting);
        if (StrideDescriptor::before(entity.m_pass, m_least)) {
            entity.m_pass = m_least;
        }
        m_order.add(entity);
    }
    void cancel(Entity& entity, Nanos) {
        move(entity, EntityState::waiting, EntityState::asleep);
        m_order.remove(entity);
    }
    Choice<Entity> pick(Nanos) {
        CHECK(m_current == nullptr);
        Entity* const entity = m_order.first();
        if (entity == nullptr) {
            return {};
        }
        m_order.remove(*entity);
        move(*entity, EntityState::waiting, EntityState::current);
        m_current = entity;
        m_least = entity->m_pass;
        return {entity, entity->m_parameters.quantum};
    }
    void charge(Nanos used, Nanos) {
        CHECK(m_current != nullptr && used >= Nanos{});
        auto const grown = static_cast<unsigned __int128>(used.value) * m_current->m_stride;
        m_current->m_pass += static_cast<u64>(grown >> fraction_bits);
    }
    void put_back(Nanos) { m_order.add(leave(EntityState::waiting)); }
    /// As if it had used a whole quantum more.
    void yield(Nanos now) {
        charge(m_current->m_parameters.quantum, now);
        put_back(now);
    }
    void sleep(Nanos) { leave(EntityState::asleep); }
    bool preempts(Entity const& entity, Nanos) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        return StrideDescriptor::before(entity.m_pass, m_current->m_pass);
    }
    usize runnable() const { return m_order.size() + (m_current == nullptr ? 0 : 1); }
    Entity* current() const { return m_current; }

private:
    static constexpr u32 fraction_bits = 20;

    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }
    static void set_parameters(Entity& entity, Parameters const& parameters) {
        entity.m_parameters = parameters;
        entity.m_stride = (u64{1} << 2 * fraction_bits) / parameters.tickets;
    }
    Entity& leave(EntityState to) {
        CHECK(m_current != nullptr);
        move(*m_current, EntityState::current, to);
        return *std::exchange(m_current, nullptr);
    }

    Order m_order;
    usize m_admitted = 0;
    u64 m_least = 0; ///< the pass of who was picked last: nobody who always waited has less
    Entity* m_current = nullptr;
};

using Stride = StrideQueue<StrideRing>;
static_assert(Policy<Stride> && Policy<StrideQueue<StrideTree>>);

} // namespace twofold::sched
