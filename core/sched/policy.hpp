// What a scheduling policy is: the run queue of one processor, told what happens and asked who is
// to run. It knows no clock, no lock, no processor and no thread: `now` comes in, a decision goes
// out, and whoever carries it out checks it first (checked_queue.hpp).
//
// A policy's `Entity` is what it keeps of one thread, inside of the thread. An entity is in one of
// four states, and the calls lead from one to another:
//
//      absent --admit--> asleep --wake--> waiting --pick--> current
//      absent <-expel--- asleep <-sleep-- current --put_back--> waiting
//                        asleep <-cancel- waiting
//
// There is one current entity at most. Everything that happens to it in time is reported by
// `charge`, in as many pieces as the caller likes, before it is put back or goes to sleep.
//
// Times are in nanoseconds of a clock that never goes back. No call allocates or fails but `admit`
// and `change`; how long each takes is said by the policy.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <limits>
#include <string_view>

namespace twofold::sched {

/// Longer than anything lasts.
inline constexpr Nanos never{std::numeric_limits<i64>::max()};

/// Who runs next, and for how long at most until the queue has to be asked again. Without an entity
/// nobody may run now; then `slice` says how long the answer holds if nothing else happens.
template<class Entity>
struct Choice {
    Entity* entity = nullptr;
    Nanos slice = never;
    bool is_hard = false; ///< the slice ends the right to run even if nobody else waits
};

/// The states of an entity, for policies and for who checks them.
enum class EntityState : u8 { absent, asleep, waiting, current };

/// What an entity carries for whoever checks the policy's answers; the policy leaves it alone. Each
/// policy's entity derives from it.
class EntityTag {
    friend class EntityBooks;

    void const* m_queue = nullptr; ///< that it was admitted to
    void* m_owner = nullptr;       ///< what it is a part of
    EntityState m_state = EntityState::absent;
};

template<class P>
concept Policy = requires(
    P& queue,
    typename P::Entity& entity,
    typename P::Parameters const& parameters,
    Nanos used,
    Nanos now) {
    requires std::derived_from<typename P::Entity, EntityTag>;
    /// What the command line calls it.
    { P::name } -> std::convertible_to<std::string_view>;
    /// Whether the parameters make sense for themselves. Errors: invalid_argument (they contradict
    /// each other), out_of_range (one is beyond its limits).
    { P::check(parameters) } -> std::same_as<Result<void>>;
    /// absent -> asleep. Errors: those of `check`, and no_space (what the entity asks for cannot be
    /// guaranteed here: admission control).
    { queue.admit(entity, parameters, now) } -> std::same_as<Result<void>>;
    /// Other parameters, in any state but absent. Errors: as `admit`; then nothing has changed.
    { queue.change(entity, parameters, now) } -> std::same_as<Result<void>>;
    /// asleep -> absent.
    { queue.expel(entity, now) } -> std::same_as<void>;
    /// asleep -> waiting.
    { queue.wake(entity, now) } -> std::same_as<void>;
    /// waiting -> asleep.
    { queue.cancel(entity, now) } -> std::same_as<void>;
    /// waiting -> current, for the one that is chosen. There is no current entity.
    { queue.pick(now) } -> std::same_as<Choice<typename P::Entity>>;
    /// The current entity has run for `used`, up to `now`.
    { queue.charge(used, now) } -> std::same_as<void>;
    /// current -> waiting: its slice is over, or somebody else goes first.
    { queue.put_back(now) } -> std::same_as<void>;
    /// current -> waiting, behind whoever it may let go first.
    { queue.yield(now) } -> std::same_as<void>;
    /// current -> asleep.
    { queue.sleep(now) } -> std::same_as<void>;
    /// Whether `entity`, which waits, should run instead of the current entity, which has been
    /// charged.
    { queue.preempts(entity, now) } -> std::same_as<bool>;
    /// Entities that wait or are current. O(1).
    { queue.runnable() } -> std::same_as<usize>;
    /// Null where there is none. O(1).
    { queue.current() } -> std::same_as<typename P::Entity*>;
};

} // namespace twofold::sched
