// A job: a coroutine that an executor runs for itself, with all that it awaits in turn. Its members
// lie in the promise of each coroutine, so that any can become one without asking for memory; those
// of a coroutine that another one awaits are not used.
//
// Nothing resumes a coroutine but the loop in Job::go_on: who awaits a task, and who ends, notes
// what goes on next and returns. So the stack is as deep as one call, however many tasks were
// awaited one in the other, or one after the other, on every compiler (some turn the transfer from
// coroutine to coroutine into a call, when they do not optimise).
//
// Who waits has a node (Wait) in the frame that awaits, or on a thread's stack, and is granted
// once: by what it waits for, or by who withdraws it. Whatever may grant it lets go of it by that,
// and does not touch it any more; until then it lives. A waker that comes meanwhile resumes nobody.
//
// Invariants: a job belongs to one executor, and only its thread touches what is not atomic here.
// A job is asked to end through its word; its executor looks at what it waits for, withdraws that,
// and lets it go on with Error::cancelled.
#pragma once

#include "core/async/executor.hpp"

#include <coroutine>

namespace twofold::async {

class Job;

/// One who waits for something: a task or a thread.
class Wait : public ListNode<> {
public:
    using Grant = void (*)(Wait& self);

    explicit Wait(Grant function, void* its_item = nullptr) : m_item(its_item), m_grant(function) {}

    /// It goes on, with `outcome`. Once; what was written before is seen by who goes on. The caller
    /// touches neither it nor what it points to any more. Any context but nmi.
    void grant(Result<void> outcome = {}) {
        m_outcome = outcome;
        m_grant(*this);
    }
    /// What it was granted with.
    Result<void> outcome() const { return m_outcome; }
    void set_outcome(Result<void> outcome) { m_outcome = outcome; }
    /// What passes through a channel: a std::optional<T>, the channel's T.
    void* item() const { return m_item; }

private:
    void* m_item;
    Grant m_grant;
    Result<void> m_outcome{};
};

/// A task that waits. In its frame.
class TaskWait : public Wait {
public:
    /// It is not to be waited for any longer: true where it will not be granted, and was taken out
    /// of whatever it waited in. False: it is, or will be. The executor's thread.
    using Withdraw = bool (*)(TaskWait& self);

    explicit TaskWait(Withdraw withdraw, void* item = nullptr)
        : Wait(grant_task, item), m_withdraw(withdraw) {}

    Job& job() const { return *m_job; }

private:
    friend class Job;

    static void grant_task(Wait& self);

    Job* m_job = nullptr;
    Withdraw m_withdraw;
};

/// Jobs that end together, or of whose ends somebody is told. Of one executor.
class Family {
public:
    using Ended = void (*)(Family& self, Job& job);

    explicit Family(Ended ended) : m_ended(ended) {}

    bool is_cancelled() const { return m_is_cancelled; }

protected:
    /// Asks all to end, those that have yet to begin too. The executor's thread; O(jobs).
    void cancel_all();
    IntrusiveList<Job>& jobs() { return m_jobs; }

private:
    friend class Job;

    Ended m_ended;
    IntrusiveList<Job> m_jobs; ///< that have begun and not ended
    bool m_is_cancelled = false;
};

class Job : public Runnable, public ListNode<> {
public:
    Job() : Runnable(&go_on, From::maker) {}

    // ---- before it runs ----

    /// It is to run `first` on `executor`, as one of `family`. Its maker queues it then.
    void prepare(Executor& executor, Family& family, std::coroutine_handle<> first) {
        m_executor = &executor;
        m_family = &family;
        m_next = first;
    }

    // ---- from its own coroutines ----

    Executor& executor() const { return *m_executor; }
    bool is_cancelled() const { return m_is_cancelled.load(relaxed) != 0; }
    /// `next` is resumed when the one that runs has returned.
    void set_next(std::coroutine_handle<> next) { m_next = next; }
    void set_over() { m_is_over = true; }
    /// The one that runs is about to return, and is resumed once `wait` was granted. Before anybody
    /// may grant it.
    void suspend(std::coroutine_handle<> where, TaskWait& wait) {
        wait.m_job = this;
        m_wait = &wait;
        m_next = where;
        m_waits_for = WaitsFor::grant;
    }
    /// The same, unless it is to end: false, and the wait's outcome says so.
    bool suspend_unless_cancelled(std::coroutine_handle<> where, TaskWait& wait) {
        if (is_cancelled()) {
            wait.set_outcome(Error::cancelled);
            return false;
        }
        suspend(where, wait);
        return true;
    }
    /// It goes on at once after all; nobody will grant the wait.
    void resume_at_once() {
        m_wait = nullptr;
        m_waits_for = WaitsFor::nothing;
    }
    /// The same until a waker's wake-up, of which one is kept. False: it has come.
    bool suspend_until_woken(std::coroutine_handle<> where) {
        if (m_has_permit || is_cancelled()) {
            m_has_permit = mutant(Mutant::async_permit_kept) && m_has_permit;
            return false;
        }
        m_next = where;
        m_waits_for = WaitsFor::wake;
        return true;
    }
    /// Behind all who wait for their turn.
    void suspend_for_others(std::coroutine_handle<> where) {
        m_next = where;
        m_waits_for = WaitsFor::turn;
    }

    // ---- from anywhere; the job lives ----

    void wake() { tell(woken); }
    void grant() { tell(granted); }
    /// Asks it to end: what it waits for from now on is cancelled.
    void cancel() {
        m_is_cancelled.store(1, relaxed); // the note shows it
        tell(asked);
    }

protected:
    /// The coroutine that it ran; it has ended, and who ends is who was resumed last.
    std::coroutine_handle<> frame() const { return m_next; }

private:
    enum class WaitsFor : u8 { start, nothing, grant, wake, turn };

    static void go_on(Runnable& self);
    bool may_go_on(u32 noted);
    bool may_go_on_with_grant(u32 noted);
    void begin_in_family();
    void pause();
    void finish();
    void tell(u32 what) {
        if (note(what)) {
            m_executor->add(*this);
        }
    }

    Executor* m_executor = nullptr;
    Family* m_family = nullptr;
    std::coroutine_handle<> m_next; ///< what is resumed next
    TaskWait* m_wait = nullptr;
    Atomic<u32> m_is_cancelled{0};
    WaitsFor m_waits_for = WaitsFor::start;
    bool m_is_held = true;     ///< nobody else queues it
    bool m_has_permit = false; ///< a wake-up that nobody has waited for yet
    bool m_is_over = false;
};

inline void TaskWait::grant_task(Wait& self) {
    static_cast<TaskWait&>(self).m_job->grant();
}

} // namespace twofold::async
