// A mutex: threads sleep for it. Who holds it runs with the strongest parameters of itself and of
// all who wait for it, and so on along the chain if it waits for another one in turn; so nobody of
// a strength in between holds up who waits (priority inversion).
//
// Free and without waiters it is one word and one atomic operation to take and to give back. It is
// handed over: who gives it back makes the strongest waiter its holder, the one who came first
// among equals, so nobody is overtaken by who has just come.
//
// Chains of waiting lead through many mutexes, so what belongs to them is guarded by one lock, that
// of the domain, which is taken where a thread is about to sleep or somebody sleeps. In builds with
// checks the domain knows in what order mutexes are taken (core/sync/lock_order.hpp) and follows
// the chain of who is about to sleep.
//
// Invariants: `contended` is set exactly while somebody waits, and then the mutex is in its
// holder's list. A thread is lent the strongest of what waits for its mutexes, if that is stronger
// than its own.
//
// Source: L. Sha, R. Rajkumar and J. Lehoczky, "Priority inheritance protocols", IEEE Transactions
// on Computers 39(9), 1990; the word with a bit for waiters: Linux, Documentation/locking/
// rt-mutex-design.rst.
#pragma once

#include "core/task/sync/threads.hpp"
#include "hal/layout.hpp"

#include <source_location>

namespace twofold::task {

/// What the mutexes of a kernel share.
template<class T>
class LockDomain {
public:
    /// Called with interrupts off when a deadlock is found: `text` says who and where, one call for
    /// each piece. The last is empty. If it returns, the thread goes on to sleep.
    using Report = void (*)(void* context, std::string_view text);

    /// `order` may be null: then the order is not looked at. It belongs to the domain from now on.
    LockDomain(T& threads, sync::LockOrder* order, Report report, void* context)
        : m_threads(threads), m_order(order), m_report(report), m_context(context) {}
    LockDomain(LockDomain const&) = delete;
    LockDomain& operator=(LockDomain const&) = delete;

    T& threads() { return m_threads; }

    /// The thread's own parameters have changed. Any context up to irq. O(chain * mutexes held).
    void own_parameters_changed(typename T::Thread& thread) {
        sync::QueueLockGuard const guard(m_lock, sync::save_interrupts);
        inherit(thread, true);
    }
    /// Changes its own parameters: `set(is_lent)` does, and may refuse; `is_lent`: it runs with
    /// others now. Interrupts are off. Errors: those of `set`. Complexity as above.
    template<class Set>
    Result<void> change_own(typename T::Thread& thread, Set const& set) {
        sync::QueueLockGuard const guard(m_lock, sync::interrupts_are_off);
        TRY(set(m_threads.lock_state(thread).lent.has_value()));
        inherit(thread, true);
        return {};
    }
    /// With what `thread` runs. O(1).
    typename T::Parameters effective(typename T::Thread& thread) {
        sync::QueueLockGuard const guard(m_lock, sync::save_interrupts);
        return strength(thread);
    }

private:
    friend class Mutex<T>;
    using Thread = typename T::Thread;
    using Parameters = typename T::Parameters;

    static constexpr usize chain_max = 1024;

    Parameters strength(Thread& thread) REQUIRES(m_lock) {
        LockState<T> const& state = m_threads.lock_state(thread);
        return state.lent ? *state.lent : m_threads.own_parameters(thread);
    }

    /// The strongest of what waits for the thread, where that is stronger than its own.
    std::optional<Parameters> to_lend(Thread& thread) REQUIRES(m_lock) {
        Parameters strongest = m_threads.own_parameters(thread);
        bool is_lent = false;
        for (Mutex<T> const& mutex : m_threads.lock_state(thread).contended) {
            Parameters const waiting = strength(mutex.m_waiters.front().thread);
            if (T::stronger(waiting, strongest)) {
                strongest = waiting;
                is_lent = true;
            }
        }
        return is_lent ? std::optional(strongest) : std::nullopt;
    }

    /// Who waits for the thread has changed: it is lent what it is to be, and stands where it
    /// should among those who wait beside it. Whether anything has changed. `always`: also if it
    /// stays as strong.
    bool adjust(Thread& thread, bool always) REQUIRES(m_lock) {
        LockState<T>& state = m_threads.lock_state(thread);
        Parameters const before = strength(thread);
        bool const was_lent = state.lent.has_value();
        state.lent = to_lend(thread);
        Parameters const now = strength(thread);
        bool const changes = T::stronger(now, before) || T::stronger(before, now);
        if (!changes && !always && was_lent == state.lent.has_value()) {
            return false;
        }
        m_threads.lend(thread, state.lent);
        if (Mutex<T>* const mutex = state.blocked_on) {
            mutex->m_waiters.remove(*state.waiter);
            mutex->enqueue(*state.waiter);
        }
        return true;
    }

    /// The same for the thread, and for those that it waits for in turn.
    void inherit(Thread& first, bool always = false) REQUIRES(m_lock) {
        Thread* thread = &first;
        for (usize step = 0; thread != nullptr && step < chain_max; ++step) {
            if (!adjust(*thread, always)) {
                return;
            }
            thread = waited_for(*thread);
        }
    }

    /// The first of those that `waiting` waits for that is not lent what it is to be: one for each
    /// time that the lock is taken, so that it is not held for longer where the chain is. False:
    /// there is none any more.
    bool inherit_once(Thread& waiting) REQUIRES(m_lock) {
        Thread* thread = waited_for(waiting);
        for (usize step = 0; thread != nullptr && step < chain_max; ++step) {
            if (adjust(*thread, false)) {
                return true;
            }
            thread = waited_for(*thread);
        }
        return false;
    }

    bool lend_on(Thread& waiting) {
        sync::QueueLockGuard const guard(m_lock, sync::save_interrupts);
        return inherit_once(waiting);
    }

    /// Who holds the mutex that the thread sleeps for, or is about to; null: it does not.
    Thread* waited_for(Thread& thread) REQUIRES(m_lock) {
        Mutex<T> const* const mutex = m_threads.lock_state(thread).blocked_on;
        return mutex == nullptr ? nullptr : mutex->holder();
    }

    /// The thread is about to take a mutex while it holds others.
    void note_order(Thread& thread, sync::LockTaking const& taking) {
        if (m_order == nullptr) {
            return;
        }
        sync::QueueLockGuard const guard(m_lock, sync::save_interrupts);
        FixedVector<sync::LockTaking, LockState<T>::held_max> held;
        for (auto const& each : m_threads.lock_state(thread).held.items()) {
            held.push_back(each.taking).value(); // as many as there may be
        }
        if (auto const circle = m_order->take(held.items(), taking, m_threads.name(thread))) {
            say("mutexes are taken in an order that can deadlock:\n");
            m_order->describe(*circle, output());
            say("");
        }
    }

    /// The thread is about to sleep for a mutex: does it wait for itself?
    void note_wait(Thread& thread) REQUIRES(m_lock) {
        bool is_first = true;
        auto const holder = [this](Thread& waiting) {
            m_lock.assert_held();
            return waited_for(waiting);
        };
        bool const found = sync::find_wait_circle(&thread, chain_max, holder, [&](Thread& waiting) {
            if (is_first) {
                say("threads wait for each other:\n");
                is_first = false;
            }
            Mutex<T> const& mutex = *m_threads.lock_state(waiting).blocked_on;
            format_to(
                output(), "{} waits for '{}' (made at {}:{}), which {} holds\n",
                std::string_view(m_threads.name(waiting)), mutex.m_name, mutex.m_site.file_name(),
                mutex.m_site.line(), std::string_view(m_threads.name(*mutex.holder())));
        });
        if (found) {
            say("");
        }
    }

    void say(std::string_view text) { m_report(m_context, text); }
    Output output() {
        return {this, [](void* self, std::string_view text) {
                    if (!text.empty()) {
                        static_cast<LockDomain*>(self)->say(text);
                    }
                }};
    }

    T& m_threads;
    sync::QueueLock m_lock{sync::LockRank::task}; ///< all mutexes that are contended meet here
    sync::LockOrder* m_order POINTER_GUARDED_BY(m_lock);
    Report m_report;
    void* m_context;
};

template<class T>
class CAPABILITY("mutex") Mutex : public ListNode<> {
public:
    using Thread = typename T::Thread;

    /// `name` is for reports and lives as long as the domain's order, as the place does where the
    /// mutex is made: mutexes that are made at one place are of one class.
    explicit Mutex(
        LockDomain<T>& domain,
        std::string_view name,
        std::source_location site = std::source_location::current())
        : m_domain(domain), m_name(name), m_site(site) {}
    /// One that others take as they like, a workload that is studied, say: no deadlock of theirs is
    /// looked for.
    enum class Unwatched : u8 { yes };
    Mutex(LockDomain<T>& domain, std::string_view name, Unwatched)
        : m_domain(domain), m_name(name), m_class(unwatched) {}
    Mutex(Mutex const&) = delete;
    Mutex& operator=(Mutex const&) = delete;
    ~Mutex() { CHECK(m_state.load(relaxed) == 0); }

    /// Takes it; `where` is for reports. Contexts that may wait; the caller does not hold it. O(1)
    /// where it is free, else O(waiters + chain).
    void lock(std::source_location where = std::source_location::current()) ACQUIRE() {
        static_cast<void>(take(std::nullopt, where)); // without a deadline it is taken
    }
    /// The same, unless it is not free by `deadline`; whether it was taken.
    bool lock_until(Nanos deadline, std::source_location where = std::source_location::current())
        TWOFOLD_THREAD_ANNOTATION(try_acquire_capability(true)) {
        return take(deadline, where);
    }
    /// The same, if it is free now. O(1).
    bool try_lock(std::source_location where = std::source_location::current())
        TWOFOLD_THREAD_ANNOTATION(try_acquire_capability(true)) {
        Thread& self = m_domain.m_threads.current();
        if (!take_free(self)) {
            return false; // in whatever order: who does not wait closes no circle
        }
        note_held(self, where);
        return true;
    }

    /// Gives it back, to the strongest who waits for it. Its holder. O(1) where nobody waits, else
    /// O(chain * mutexes held).
    void unlock() RELEASE() {
        Thread& self = m_domain.m_threads.current();
        note_given_back(self);
        u64 expected = word(self);
        if (!m_state.compare_exchange(expected, 0, release, relaxed)) {
            hand_over(self);
        }
    }

    /// Whether somebody holds it, at some moment of the call. O(1).
    bool is_held() const { return m_state.load(relaxed) != 0; }

private:
    friend class LockDomain<T>;

    static constexpr u64 contended = 1;
    static constexpr u16 unwatched = sync::LockClass::none - 1; ///< as a class
    static_assert(alignof(Thread) > contended);

    static u64 word(Thread& thread) { return hal::kernel_address(&thread).value; }
    /// Null: it is free.
    Thread* holder() const {
        VirtAddr const place{m_state.load(relaxed) & ~contended};
        return room_for<Thread>(hal::kernel_pointer(place));
    }

    bool take_free(Thread& self) {
        u64 expected = 0;
        // Release, too: who sees the holder looks into what the holder is.
        return m_state.compare_exchange(expected, word(self), acquire_release, relaxed);
    }

    bool take(std::optional<Nanos> deadline, std::source_location where) {
        sync::require(sync::Ability::wait);
        Thread& self = m_domain.m_threads.current();
        note_taking(self, where);
        if (!take_free(self) && !sleep_for(self, deadline)) {
            return false;
        }
        note_held(self, where);
        return true;
    }

    /// Under the domain's lock: takes it if it is free after all; else says that somebody waits.
    bool take_or_contend(Thread& self) {
        u64 state = m_state.load(relaxed);
        while ((state & contended) == 0) {
            u64 const wanted = state == 0 ? word(self) : state | contended;
            if (m_state.compare_exchange(state, wanted, acquire_release, relaxed)) {
                if (state == 0) {
                    return true;
                }
                m_domain.m_threads.lock_state(*holder()).contended.push_back(*this);
                return false;
            }
        }
        return false;
    }

    bool sleep_for(Thread& self, std::optional<Nanos> deadline) {
        T& threads = m_domain.m_threads;
        Waiter<T> waiter(self);
        LockState<T>& state = threads.lock_state(self);
        bool has_to_lend = false;
        {
            sync::QueueLockGuard const guard(m_domain.m_lock, sync::save_interrupts);
            if (take_or_contend(self)) {
                return true;
            }
            enqueue(waiter);
            state.blocked_on = this;
            state.waiter = &waiter;
            has_to_lend = T::stronger(m_domain.strength(self), m_domain.strength(*holder()));
            if (mutant(Mutant::inversion_lending)) {
                has_to_lend = false;
            }
            if (checks_enabled && m_class.load(relaxed) != unwatched) {
                m_domain.note_wait(self);
            }
        }
        while (has_to_lend) {
            has_to_lend = m_domain.lend_on(self);
        }
        while (true) {
            bool in_time = true;
            if (deadline) {
                in_time = threads.park_until(*deadline);
            } else {
                threads.park();
            }
            sync::QueueLockGuard const guard(m_domain.m_lock, sync::save_interrupts);
            if (waiter.is_granted) {
                return true;
            }
            if (!in_time) {
                give_up(state, waiter);
                return false;
            }
        }
    }

    void give_up(LockState<T>& state, Waiter<T>& waiter) {
        m_domain.m_lock.assert_held();
        m_waiters.remove(waiter);
        state.blocked_on = nullptr;
        state.waiter = nullptr;
        Thread& owner = *holder();
        if (m_waiters.empty()) {
            m_domain.m_threads.lock_state(owner).contended.remove(*this);
            m_state.store(word(owner), relaxed); // its holder needs the domain's lock meanwhile
        }
        if (mutant(Mutant::inversion_not_withdrawn)) {
            return;
        }
        m_domain.inherit(owner);
    }

    void hand_over(Thread& self) {
        T& threads = m_domain.m_threads;
        sync::QueueLockGuard const guard(m_domain.m_lock, sync::save_interrupts);
        CHECK(holder() == &self);
        if (m_waiters.empty()) { // who waited has given up
            m_state.store(0, release);
            return;
        }
        threads.lock_state(self).contended.remove(*this);
        Waiter<T>& next = m_waiters.pop_front();
        Thread& thread = next.thread;
        LockState<T>& state = threads.lock_state(thread);
        state.blocked_on = nullptr;
        state.waiter = nullptr;
        m_state.store(word(thread) | (m_waiters.empty() ? 0 : contended), release);
        if (!m_waiters.empty()) {
            state.contended.push_back(*this);
        }
        bool is_lent = threads.lock_state(self).lent.has_value();
        if (mutant(Mutant::inversion_not_restored)) {
            is_lent = false;
        }
        if (is_lent) { // perhaps by who waits here
            m_domain.inherit(self);
        }
        if (!m_waiters.empty()) {
            m_domain.inherit(thread);
        }
        next.is_granted = true;
        threads.unpark(thread);
    }

    /// The strongest first; among equals who came first.
    void enqueue(Waiter<T>& waiter) {
        m_domain.m_lock.assert_held();
        auto const strength = m_domain.strength(waiter.thread);
        for (Waiter<T>& other : m_waiters) {
            if (T::stronger(strength, m_domain.strength(other.thread))) {
                m_waiters.insert_before(other, waiter);
                return;
            }
        }
        m_waiters.push_back(waiter);
    }

    void note_taking(Thread& self, std::source_location where) {
        if constexpr (checks_enabled) {
            if (!m_domain.m_threads.lock_state(self).held.empty()) {
                if (sync::LockClass const own = lock_class(); own != sync::LockClass{}) {
                    m_domain.note_order(self, {own, where});
                }
            }
        }
    }
    void note_held(Thread& self, std::source_location where) {
        if constexpr (checks_enabled) {
            auto& held = m_domain.m_threads.lock_state(self).held;
            for (auto const& each : held.items()) {
                CHECK(each.mutex != this);
            }
            if (sync::LockClass const own = lock_class(); own != sync::LockClass{}) {
                CHECK(held.push_back({this, {own, where}}).has_value());
            }
        }
    }
    void note_given_back(Thread& self) {
        if constexpr (checks_enabled) {
            CHECK(holder() == &self);
            auto& held = m_domain.m_threads.lock_state(self).held;
            for (usize index = held.size(); index-- > 0;) {
                if (held[index].mutex == this) {
                    held.erase(index);
                    return;
                }
            }
        }
    }

    /// None where there is no order, or no room for one more class.
    sync::LockClass lock_class() {
        u16 known = m_class.load(relaxed);
        if (m_domain.m_order == nullptr || known == unwatched) {
            return {};
        }
        if (known == sync::LockClass::none) {
            sync::QueueLockGuard const guard(m_domain.m_lock, sync::save_interrupts);
            auto const made = m_domain.m_order->class_at(m_site, m_name);
            known = made ? made.value().index : sync::LockClass::none;
            m_class.store(known, relaxed);
        }
        return {known};
    }

    LockDomain<T>& m_domain;
    Atomic<u64> m_state{0};             ///< the holder's address, and `contended`
    IntrusiveList<Waiter<T>> m_waiters; ///< guarded by the domain's lock
    std::string_view m_name;
    std::source_location m_site;
    Atomic<u16> m_class{sync::LockClass::none};
};

/// Holds a mutex for a scope.
template<class T>
class SCOPED_CAPABILITY [[nodiscard]] MutexGuard {
public:
    explicit MutexGuard(
        Mutex<T>& mutex, std::source_location where = std::source_location::current())
        ACQUIRE(mutex)
        : m_mutex(mutex) {
        m_mutex.lock(where);
    }
    ~MutexGuard() RELEASE() { m_mutex.unlock(); }
    MutexGuard(MutexGuard const&) = delete;
    MutexGuard& operator=(MutexGuard const&) = delete;

private:
    Mutex<T>& m_mutex;
};

} // namespace twofold::task
