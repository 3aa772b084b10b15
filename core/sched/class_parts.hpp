// What a stack of classes is made of: room for the entity of one class of several, a queue for each
// class, and the way from a number to a class. See class_stack.hpp.
#pragma once

#include "core/sched/policy.hpp"

#include <tuple>
#include <type_traits>

namespace twofold::sched {

/// Room for one object of one of several types, which begins and ends by hand. What lies in it is
/// known by who owns it.
template<class... Types>
union OneOf;

template<>
union OneOf<> {};

template<class First, class... Rest>
union OneOf<First, Rest...> {
    constexpr OneOf() : m_rest() {}
    OneOf(OneOf const&) = default;
    OneOf& operator=(OneOf const&) = default;
    constexpr ~OneOf()
        requires(std::is_trivially_destructible_v<First> &&
                 (... && std::is_trivially_destructible_v<Rest>))
    = default;
    constexpr ~OneOf() {} // the owner has ended what lay in it

    /// Where an object of the type with that index lies, or would. O(1).
    template<usize Index>
    constexpr auto* place() {
        if constexpr (Index == 0) {
            return std::addressof(m_first);
        } else {
            return m_rest.template place<Index - 1>();
        }
    }
    template<usize Index>
    constexpr auto const* place() const {
        return const_cast<OneOf*>(this)->template place<Index>();
    }

private:
    First m_first;
    OneOf<Rest...> m_rest;
};

namespace detail {

/// What remains of a class's entity while its owner is bound to another class.
template<class P>
struct KeptDebt {};
template<class P>
    requires requires(typename P::Entity const& entity) { entity.debt(); }
struct KeptDebt<P> {
    decltype(std::declval<typename P::Entity const&>().debt()) debt{};
};

/// The entity of a class, which knows the entity of the stack that it lies in.
template<class P, class Owner>
struct ClassEntity : P::Entity {
    explicit ClassEntity(Owner& whose) : owner(whose) {}
    ClassEntity(Owner& whose, auto const& debt) : P::Entity(debt), owner(whose) {}

    Owner& owner;
};

template<class P, usize>
struct ClassQueue {
    ClassQueue() = default;
    template<class... Arguments>
    explicit ClassQueue(std::tuple<Arguments...> const& arguments)
        : queue(std::make_from_tuple<P>(arguments)) {}

    P queue;
};

/// Calls `body` with the constant `index`, which is below `count`.
template<usize Count, class Body>
constexpr auto with_index(usize index, Body const& body) {
    static_assert(Count > 0);
    auto const at = [&]<usize I>(auto const& self, std::integral_constant<usize, I> here) {
        if constexpr (I + 1 < Count) {
            return index == I ? body(here) : self(self, std::integral_constant<usize, I + 1>{});
        } else {
            CHECK(index == I);
            return body(here);
        }
    };
    return at(at, std::integral_constant<usize, 0>{});
}

template<class Sequence, class... Policies>
struct ClassQueues;
template<usize... I, class... Policies>
struct ClassQueues<std::index_sequence<I...>, Policies...> : ClassQueue<Policies, I>... {
    ClassQueues() = default;
    template<class... Arguments>
    explicit ClassQueues(Arguments const&... arguments) : ClassQueue<Policies, I>(arguments)... {}
};

} // namespace detail

} // namespace twofold::sched
