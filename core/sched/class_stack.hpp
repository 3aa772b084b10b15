// ClassStack<Policies...>: several policies as one. Each is a *class*; they stand in the order in
// which they are named, and the first that has somebody who may run decides. Which class an entity
// is in is one of its parameters, and `change` can bind it to another.
//
// What a class may offer beyond a policy, found by its name:
//  - `pick_spare(now)`: asked when all classes have answered that nobody may run. So a class runs
//    some of its entities in its place in the order, and others only in time that is left over.
//  - `is_background = true`: the class has no place in the order; all of it runs in spare time,
//    behind the classes before it.
//  - `runs_from(entity, now)`: when `entity`, which waits, may run in the class's place. Without it
//    whoever waits may at once.
//  - `refuses_nobody = true`: whose parameters are sound is admitted, always.
//  - `stronger(a, b)`: whether parameters `a` go before `b`; without it all are equal.
//  - `is_bound_to_queue(parameters)`: whether these are a guarantee that only the queue which gave
//    it can keep; without it none is.
//  - `debt()` of its entities, and a constructor from it: kept while an entity is bound to another
//    class, so that nobody sheds what it owes on a detour.
//
// When a class answers that nobody may run for a time, somebody of a later class runs for that time
// at most: so a budget that is filled or a bound that becomes urgent is never overslept.
//
// The current entity can change its class, too. It was chosen by the class that it leaves, and the
// new one has not chosen it; so it belongs to no queue until it is put back or sleeps, and what it
// uses until then is charged to nobody. Whoever changes it puts it back at once.
//
// No virtual calls, no allocation; each call costs what the class's does, and a step for each
// class.
#pragma once

#include "core/sched/class_parts.hpp"
#include "core/sched/policy.hpp"

#include <algorithm>
#include <optional>

namespace twofold::sched {

template<Policy... Policies>
class ClassStack {
    static constexpr usize count = sizeof...(Policies);
    static_assert(count > 0);

    template<usize I>
    using Class = std::tuple_element_t<I, std::tuple<Policies...>>;
    template<usize I>
    using Constant = std::integral_constant<usize, I>;

    template<class P>
    static constexpr usize index_of = [] {
        constexpr bool same[] = {std::is_same_v<P, Policies>...};
        static_assert((std::is_same_v<P, Policies> + ...) == 1, "one class of the stack");
        return static_cast<usize>(std::find(std::begin(same), std::end(same), true) - same);
    }();

public:
    static constexpr std::string_view name = "classes";
    static constexpr usize classes = count;
    static constexpr std::string_view names[] = {Policies::name...};

    /// The class with that name; none: there is no such class. O(classes).
    static constexpr std::optional<usize> class_named(std::string_view wanted) {
        auto const* const place = std::find(std::begin(names), std::end(names), wanted);
        return place == std::end(names) ? std::nullopt
                                        : std::optional(static_cast<usize>(place - names));
    }

    /// A class, and parameters for it.
    class Parameters {
    public:
        /// Those of the last class, as it would have them.
        Parameters() : Parameters(Constant<count - 1>{}, {}) {}

        template<class P>
        static Parameters of(typename P::Parameters const& parameters) {
            return Parameters(Constant<index_of<P>>{}, parameters);
        }
        /// Those that a class would have. `index` is below `classes`.
        static Parameters of_class(usize index) {
            return detail::with_index<count>(
                index, []<usize I>(Constant<I> at) { return Parameters(at, {}); });
        }

        usize class_index() const { return m_index; }
        std::string_view class_name() const { return names[m_index]; }
        template<class P>
        bool is() const {
            return m_index == index_of<P>;
        }
        /// The parameters for class P, which it is.
        template<class P>
        typename P::Parameters const& get() const {
            CHECK(is<P>());
            return at<index_of<P>>();
        }
        template<class P>
        typename P::Parameters& get() {
            CHECK(is<P>());
            return *m_values.template place<index_of<P>>();
        }

    private:
        friend class ClassStack;

        template<usize I>
        Parameters(Constant<I>, typename Class<I>::Parameters const& parameters) : m_index(I) {
            std::construct_at(m_values.template place<I>(), parameters);
        }
        template<usize I>
        auto const& at() const {
            return *m_values.template place<I>();
        }

        u8 m_index;
        OneOf<typename Policies::Parameters...> m_values;
    };
    static_assert(count < 256 && std::is_trivially_copyable_v<Parameters>);

    /// Bound to a class from `admit` on.
    class Entity : public EntityTag, detail::KeptDebt<Policies>... {
    public:
        Entity() = default;
        Entity(Entity const&) = delete;
        Entity& operator=(Entity const&) = delete;
        ~Entity() { unbind(); }

        /// The class that it is bound to. Not for one that has never been admitted.
        usize class_index() const {
            CHECK(m_index != unbound);
            return m_index;
        }
        std::string_view class_name() const { return names[class_index()]; }
        /// What class P, which it is bound to, keeps of it.
        template<class P>
        typename P::Entity const& in() const {
            CHECK(m_index == index_of<P>);
            return *m_room.template place<index_of<P>>();
        }

    private:
        friend class ClassStack;

        static constexpr u8 unbound = 0xFF;

        template<usize I>
        auto& at() {
            CHECK(m_index == I);
            return *m_room.template place<I>();
        }
        template<usize I>
        auto const& at() const {
            CHECK(m_index == I);
            return *m_room.template place<I>();
        }
        template<usize I>
        detail::KeptDebt<Class<I>>& kept() {
            return *this;
        }
        template<usize I>
        static constexpr bool keeps_debt =
            requires(detail::KeptDebt<Class<I>>& kept) { kept.debt; };

        void unbind() {
            if (m_index == unbound) {
                return;
            }
            detail::with_index<count>(m_index, [&]<usize I>(Constant<I>) {
                if constexpr (keeps_debt<I>) {
                    kept<I>().debt = at<I>().debt();
                }
                std::destroy_at(&at<I>());
            });
            m_index = unbound;
        }
        template<usize I>
        void bind() {
            if (m_index == I) {
                return; // as it was in another queue of its class
            }
            unbind();
            if constexpr (keeps_debt<I>) {
                std::construct_at(m_room.template place<I>(), *this, kept<I>().debt);
            } else {
                std::construct_at(m_room.template place<I>(), *this);
            }
            m_index = I;
        }

        OneOf<detail::ClassEntity<Policies, Entity>...> m_room;
        ClassStack const* m_stack = nullptr; ///< that it was admitted to
        u8 m_index = unbound;
        EntityState m_state = EntityState::absent;
    };

    ClassStack() = default;
    /// A tuple for each class, with what its constructor is to be given.
    template<class... Arguments>
        requires(sizeof...(Arguments) == count)
    explicit ClassStack(Arguments const&... arguments) : m_queues(arguments...) {}
    ClassStack(ClassStack const&) = delete;
    ClassStack& operator=(ClassStack const&) = delete;

    static Result<void> check(Parameters const& parameters) {
        return at_class(parameters, [&]<usize I>(Constant<I>) {
            return Class<I>::check(parameters.template at<I>());
        });
    }
    /// Whether `a` goes before `b`: by the order of the classes, then by the class.
    static bool stronger(Parameters const& a, Parameters const& b) {
        if (a.m_index != b.m_index) {
            return a.m_index < b.m_index;
        }
        return at_class(a, [&]<usize I>(Constant<I>) {
            if constexpr (requires {
                              Class<I>::stronger(a.template at<I>(), b.template at<I>());
                          }) {
                return Class<I>::stronger(a.template at<I>(), b.template at<I>());
            } else {
                return false;
            }
        });
    }

    /// Whether the class's guarantee holds in its queue alone (dispatcher.hpp).
    static bool is_bound_to_queue(Parameters const& parameters) {
        return at_class(parameters, [&]<usize I>(Constant<I>) {
            if constexpr (requires { Class<I>::is_bound_to_queue(parameters.template at<I>()); }) {
                return Class<I>::is_bound_to_queue(parameters.template at<I>());
            } else {
                return false;
            }
        });
    }

    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos now) {
        CHECK(entity.m_state == EntityState::absent);
        return at_class(parameters, [&]<usize I>(Constant<I>) -> Result<void> {
            TRY(probe<I>(parameters, now));
            enter<I>(entity, parameters, now);
            entity.m_stack = this;
            entity.m_state = EntityState::asleep;
            return {};
        });
    }
    /// To another class: as if it left, and came back to where it was in the new one.
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos now) {
        CHECK(entity.m_state != EntityState::absent);
        return at_class(parameters, [&]<usize I>(Constant<I>) -> Result<void> {
            if (entity.m_index == I) {
                auto const outcome =
                    queue<I>().change(entity.template at<I>(), parameters.template at<I>(), now);
                look_at<I>();
                return outcome;
            }
            TRY(probe<I>(parameters, now));
            leave_class(entity, now);
            enter<I>(entity, parameters, now);
            if (entity.m_state == EntityState::waiting) {
                queue<I>().wake(entity.template at<I>(), now);
                look_at<I>();
            }
            return {};
        });
    }
    void expel(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::absent);
        at_class(entity, [&](auto& queue, auto& own) { queue.expel(own, now); });
    }
    void wake(Entity& entity, Nanos now) {
        move(entity, EntityState::asleep, EntityState::waiting);
        at_class(entity, [&](auto& queue, auto& own) { queue.wake(own, now); });
    }
    void cancel(Entity& entity, Nanos now) {
        move(entity, EntityState::waiting, EntityState::asleep);
        at_class(entity, [&](auto& queue, auto& own) { queue.cancel(own, now); });
    }

    Choice<Entity> pick(Nanos now) {
        CHECK(m_current == nullptr);
        Choice<Entity> choice;
        [&]<usize... Rank>(std::index_sequence<Rank...>) {
            static_cast<void>((ask<Rank>(choice, now) || ...));
        }(std::make_index_sequence<ranks>());
        m_slice_end = choice.slice < never - now ? now + choice.slice : never;
        return choice;
    }
    void charge(Nanos used, Nanos now) {
        CHECK(m_current != nullptr && used >= Nanos{});
        if (!m_is_between) {
            detail::with_index<count>(
                m_current->m_index, [&]<usize I>(Constant<I>) { queue<I>().charge(used, now); });
        }
    }
    void put_back(Nanos now) {
        leave(EntityState::waiting, now, [&](auto& queue) { queue.put_back(now); });
    }
    void yield(Nanos now) {
        leave(EntityState::waiting, now, [&](auto& queue) { queue.yield(now); });
    }
    void sleep(Nanos now) {
        leave(EntityState::asleep, now, [&](auto& queue) { queue.sleep(now); });
    }
    bool preempts(Entity const& entity, Nanos now) const {
        CHECK(m_current != nullptr && entity.m_state == EntityState::waiting);
        Nanos const from = runs_from(entity, now);
        if (from > now && from < m_slice_end && entity.m_index <= m_rank) {
            return true; // who runs is to have a shorter slice
        }
        usize const rank = rank_of(entity, from <= now);
        if (rank != m_rank || rank == ranks) {
            return rank < m_rank;
        }
        return m_is_between ||
               at_class(entity, [&](auto& queue, auto& own) { return queue.preempts(own, now); });
    }

    /// As the classes said after the last call that led to them.
    usize runnable() const { return m_runnable + (m_is_between ? 1 : 0); }
    Entity* current() const { return m_current; }

    /// The queue of class P.
    template<class P>
    P const& in() const {
        return queue<index_of<P>>();
    }

private:
    /// Ranks below `count` are places in the order, those above are spare time.
    static constexpr usize ranks = 2 * count;

    template<usize I>
    static constexpr bool is_background = [] {
        if constexpr (requires { Class<I>::is_background; }) {
            return Class<I>::is_background;
        } else {
            return false;
        }
    }();
    template<usize I>
    static constexpr bool has_spare =
        requires(Class<I>& queue, Nanos now) { queue.pick_spare(now); };

    template<usize I>
    auto& queue() {
        return static_cast<detail::ClassQueue<Class<I>, I>&>(m_queues).queue;
    }
    template<usize I>
    auto const& queue() const {
        return static_cast<detail::ClassQueue<Class<I>, I> const&>(m_queues).queue;
    }
    /// Notes what a class says of itself after a call.
    template<usize I>
    void look_at() {
        usize const seen = queue<I>().runnable();
        if (seen != m_of_class[I]) {
            m_runnable += seen - m_of_class[I];
            m_of_class[I] = seen;
            m_occupied = seen == 0 ? m_occupied & ~(1u << I) : m_occupied | 1u << I;
        }
    }
    template<class Body>
    static auto at_class(Parameters const& parameters, Body const& body) {
        return detail::with_index<count>(parameters.m_index, body);
    }
    template<class Body>
    void at_class(Entity& entity, Body const& body) {
        detail::with_index<count>(entity.m_index, [&]<usize I>(Constant<I>) {
            body(queue<I>(), entity.template at<I>());
            look_at<I>();
        });
    }
    template<class Body>
    auto at_class(Entity const& entity, Body const& body) const {
        return detail::with_index<count>(entity.m_index, [&]<usize I>(Constant<I>) {
            return body(queue<I>(), entity.template at<I>());
        });
    }
    static void move(Entity& entity, EntityState from, EntityState to) {
        CHECK(entity.m_state == from);
        entity.m_state = to;
    }

    /// Whether the class would take somebody with these parameters now. Nothing changes.
    template<usize I>
    Result<void> probe(Parameters const& parameters, Nanos now) {
        if constexpr (requires { requires Class<I>::refuses_nobody; }) {
            return Class<I>::check(parameters.template at<I>());
        }
        typename Class<I>::Entity stranger;
        TRY(queue<I>().admit(stranger, parameters.template at<I>(), now));
        queue<I>().expel(stranger, now);
        return {};
    }
    /// Binds an entity to a class that would take it.
    template<usize I>
    void enter(Entity& entity, Parameters const& parameters, Nanos now) {
        entity.template bind<I>();
        // Asked twice: a class that says yes and then no is to be found out by who checks it.
        static_cast<void>(
            queue<I>().admit(entity.template at<I>(), parameters.template at<I>(), now));
    }
    /// Takes an entity out of its class; the stack takes it for what it was.
    void leave_class(Entity& entity, Nanos now) {
        at_class(entity, [&](auto& queue, auto& own) {
            if (entity.m_state == EntityState::waiting) {
                queue.cancel(own, now);
            } else if (&entity == m_current && !m_is_between) {
                queue.sleep(now);
            }
            queue.expel(own, now);
        });
        if (&entity == m_current) {
            m_is_between = true;
            m_rank = ranks;
        }
    }

    /// Whether the class, asked in its place or for spare time, has said who is to run.
    template<usize Rank>
    bool ask(Choice<Entity>& choice, Nanos now) {
        constexpr usize index = Rank % count;
        constexpr bool is_place = Rank < count ? !is_background<index> : is_background<index>;
        if constexpr (is_place || (Rank >= count && has_spare<index>)) {
            if ((m_occupied & 1u << index) == 0) {
                return false;
            }
            if constexpr (is_place) {
                take<index>(choice, queue<index>().pick(now));
            } else {
                take<index>(choice, queue<index>().pick_spare(now));
            }
            look_at<index>();
            m_rank = Rank;
            return choice.entity != nullptr;
        } else {
            return false;
        }
    }
    /// A wrong answer is passed on as it is, for who checks it.
    template<usize I>
    void take(Choice<Entity>& choice, Choice<typename Class<I>::Entity> const& answer) {
        choice.slice = std::min(choice.slice, answer.slice);
        if (answer.entity == nullptr) {
            return;
        }
        choice.entity = &static_cast<detail::ClassEntity<Class<I>, Entity>*>(answer.entity)->owner;
        choice.is_hard = answer.is_hard;
        Entity& entity = *choice.entity;
        if (entity.m_stack == this && entity.m_state == EntityState::waiting) [[likely]] {
            entity.m_state = EntityState::current;
            m_current = &entity;
        }
    }

    /// When an entity that waits may run in the place of its class.
    Nanos runs_from(Entity const& entity, Nanos now) const {
        return detail::with_index<count>(entity.m_index, [&]<usize I>(Constant<I>) {
            if constexpr (is_background<I>) {
                return never;
            } else if constexpr (requires { queue<I>().runs_from(entity.template at<I>(), now); }) {
                return queue<I>().runs_from(entity.template at<I>(), now);
            } else {
                return now;
            }
        });
    }
    /// Where it would be chosen; `ranks`: nowhere now.
    static usize rank_of(Entity const& entity, bool in_place) {
        return detail::with_index<count>(entity.m_index, [&]<usize I>(Constant<I>) {
            return in_place ? I : is_background<I> || has_spare<I> ? count + I : ranks;
        });
    }

    template<class Leave>
    void leave(EntityState to, Nanos now, Leave const& leave_queue) {
        CHECK(m_current != nullptr);
        Entity& entity = *std::exchange(m_current, nullptr);
        move(entity, EntityState::current, to);
        bool const was_between = std::exchange(m_is_between, false);
        at_class(entity, [&](auto& queue, auto& own) {
            if (!was_between) {
                leave_queue(queue);
            } else if (to == EntityState::waiting) {
                queue.wake(own, now);
            }
        });
    }

    detail::ClassQueues<std::make_index_sequence<count>, Policies...> m_queues;
    Entity* m_current = nullptr;
    usize m_runnable = 0;         ///< in all classes together
    usize m_of_class[count] = {}; ///< in each
    u32 m_occupied = 0;           ///< a bit for each class that has somebody
    usize m_rank = 0;             ///< of the current entity
    Nanos m_slice_end{};          ///< of the last answer
    bool m_is_between = false;    ///< the current entity has changed its class
};

} // namespace twofold::sched
