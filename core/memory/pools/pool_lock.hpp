// Who may use a pool at once: a policy that its template takes.
#pragma once

#include "core/sync/sync.hpp"

#include <concepts>

namespace twofold::memory {

/// A guard that a pool holds while it changes what it keeps; never while an object is made or
/// destroyed.
template<class L>
concept PoolLock = requires(L& lock) {
    typename L::Guard;
    requires std::constructible_from<typename L::Guard, L&>;
};

/// One context at a time uses the pool; its owner sees to that.
struct SingleContext {
    struct Guard {
        explicit Guard(SingleContext&) {}
        ~Guard() {} // not trivial: a guard that is only named is in use
    };
};
static_assert(PoolLock<SingleContext>);

/// Contexts up to no_preempt, on all processors at once; no fault inside the pool.
class ManyContexts {
public:
    class Guard {
    public:
        explicit Guard(ManyContexts& owner) : m_owner(owner) { m_owner.m_lock.lock(); }
        ~Guard() { m_owner.m_lock.unlock(); }
        Guard(Guard const&) = delete;
        Guard& operator=(Guard const&) = delete;

    private:
        sync::NoPreemptGuard m_no_preempt; ///< first: in force before the lock is taken
        ManyContexts& m_owner;
    };

private:
    sync::LockableSpinLock m_lock{sync::LockRank::pool};
};
static_assert(PoolLock<ManyContexts>);

} // namespace twofold::memory
