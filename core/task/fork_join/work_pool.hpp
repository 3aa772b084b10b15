// Workers that share what they fork. A task is an object of who forks it; forking pushes it on the
// worker's own deque, and joining pops it and runs it as a call, unless another worker, which had
// nothing to do, has taken it meanwhile.
//
// Whoever joins what was taken helps its taker, and runs nothing else (leapfrogging): all of that
// is a part of what it waits for, so a stack grows no deeper than that of a serial program.
//
// What is forked while somebody is idle is shared at once. What was forked while all were busy may
// be private, eight tasks of a worker at most, until it forks or joins the next time; so whoever
// computes for long without either may keep that to itself.
//
// A worker that finds nothing for a while rests: it says so, looks once more, and parks. Whoever
// shares something looks for who rests afterwards. Between saying and looking stands a fence on
// both sides, so one of the two sees the other, and no wake-up is lost. As many are woken as there
// is something new to take; only who wakes a worker, or it itself, ends its rest.
//
// Threads that are no workers hand in a task, and sleep until it has run. They come in turn.
//
// Source: R. Blumofe and C. Leiserson, "Scheduling multithreaded computations by work stealing",
// JACM 46(5), 1999; D. Wagner and B. Calder, "Leapfrogging: a portable technique for implementing
// efficient futures", PPoPP 1993. The numbered memory orders are each shown to be needed by
// `./twofold relacy`.
#pragma once

#include "core/task/fork_join/work_deque.hpp"
#include "core/task/sync/threads.hpp"

#include <span>
#include <utility>

namespace twofold::task {

struct SubmissionTag;

/// What became of the tasks of a worker; may be looked at from anywhere.
struct WorkCounts {
    Atomic<u64> taken{0};     ///< by it, from others
    Atomic<u64> overflows{0}; ///< did not fit in its deque, and ran where they were forked
    Atomic<u64> rests{0};
};

/// Threads that can rest; see ThreadSystem.
template<class T>
concept RestingThreads = requires(T& threads, typename T::Thread& thread) {
    { threads.current() } -> std::same_as<typename T::Thread&>;
    { threads.park() } -> std::same_as<void>;
    { threads.unpark(thread) } -> std::same_as<void>;
};

/// `looks_before_rest`: each takes some nanoseconds.
template<RestingThreads T, u32 deque_capacity = 256, u32 looks_before_rest = 200>
class WorkPool {
public:
    class Worker;

    /// Something to run. Forked once, and joined by the worker that forked it before it ends.
    class Task {
    public:
        using Run = void (*)(Worker& worker, Task& task);

        explicit Task(Run run) : m_run(run) {}
        Task(Task const&) = delete;
        Task& operator=(Task const&) = delete;
        ~Task() {
            State const state = m_state.load(relaxed);
            CHECK(state == fresh || state == done);
        }

    private:
        friend class WorkPool;
        friend class Worker;

        enum State : u32 {
            fresh,
            forked,
            awaited, ///< the same, and who forked it sleeps for it
            done,
        };

        bool is_done() const {
            return m_state.load(numbered(OrderSite::pool_join, acquire)) == done;
        }

        Run m_run;
        Atomic<State> m_state{fresh};
        Atomic<Worker*> m_taker{nullptr};
    };

    class alignas(sync::cache_line_bytes) Worker {
    public:
        Worker() = default;
        Worker(Worker const&) = delete;
        Worker& operator=(Worker const&) = delete;

        /// `task` may run elsewhere from now on, or in `join`; where the deque is full it runs now.
        /// O(1). The calls of a worker are for the tasks that run on it.
        void fork(Task& task) {
            task.m_state.store(Task::forked, relaxed);
            if (!m_deque.push(task)) [[unlikely]] {
                overflow(task);
                return;
            }
            consider_sharing();
        }

        /// Returns when `task`, which was forked here, has run. O(1) beside what runs.
        void join(Task& task) {
            if (task.is_done()) [[unlikely]] {
                return;
            }
            Task* const last = m_deque.pop();
            if (last == &task) [[likely]] {
                run_own(task);
            } else {
                join_slowly(task, last);
            }
        }

        WorkCounts const& counts() const { return m_counts; }

    private:
        friend class WorkPool;
        using State = typename Task::State;

        /// A task of its own, which is out of the deque.
        void run_own(Task& task) {
            consider_sharing();
            task.m_run(*this, task);
            task.m_state.store(Task::done, relaxed);
        }
        [[gnu::noinline]] void overflow(Task& task) {
            note(m_counts.overflows);
            if (!mutant(Mutant::forkjoin_overflow_lost)) {
                task.m_run(*this, task);
            }
            task.m_state.store(Task::done, relaxed);
        }
        void consider_sharing() {
            bool const is_asked = (m_pool->m_idle.load(relaxed) | m_helpers.load(relaxed)) != 0;
            if (is_asked || m_deque.should_share()) [[unlikely]] {
                share(is_asked);
            }
        }
        [[gnu::noinline]] void share(bool is_asked) {
            u32 const count = m_deque.private_count();
            u32 const shown = is_asked ? count : (count + 1) / 2;
            if (shown != 0) {
                m_deque.share(shown);
                m_pool->wake(this, shown);
            }
        }

        /// `last` is what was youngest: null, or forked behind `task` and not joined yet.
        [[gnu::noinline]] void join_slowly(Task& task, Task* last) {
            while (last != nullptr) {
                run_own(*last);
                if (last == &task) {
                    return;
                }
                last = m_deque.pop();
            }
            help_with(task);
        }

        /// The deque is empty, and somebody else runs `task`.
        void help_with(Task& task) {
            Worker* asked = nullptr;
            for (u32 looks = 0; !task.is_done();) {
                Worker* const taker = task.m_taker.load(acquire);
                Task* const part = taker == nullptr
                                       ? nullptr
                                       : taker->m_deque.steal([&] { return !task.is_done(); });
                if (part != nullptr) {
                    stop_asking(asked);
                    run_taken(*part, *taker);
                    looks = 0;
                    continue;
                }
                if (asked == nullptr && taker != nullptr) {
                    asked = taker;
                    asked->m_helpers.fetch_add(1, relaxed);
                }
                if (++looks < looks_before_rest) {
                    sync::relax();
                } else {
                    rest_until_done(task, taker);
                    looks = 0;
                }
            }
            stop_asking(asked);
        }
        static void stop_asking(Worker*& asked) {
            if (asked != nullptr) {
                std::exchange(asked, nullptr)->m_helpers.fetch_sub(1, relaxed);
            }
        }

        /// A task that it has taken from `victim`.
        void run_taken(Task& task, Worker& victim) {
            note(m_counts.taken);
            task.m_taker.store(this, release);
            task.m_run(*this, task);
            CHECK(m_deque.empty()); // what it has forked it has joined
            auto const before =
                task.m_state.exchange(Task::done, numbered(OrderSite::pool_done, release));
            if (before == Task::awaited) { // the task may be gone
                m_pool->m_threads.unpark(*victim.m_thread);
            }
        }

        void rest_until_done(Task& task, Worker* taker) {
            State before = Task::forked;
            if (!task.m_state.compare_exchange(before, Task::awaited, relaxed, relaxed) &&
                before == Task::done) {
                return;
            }
            if (taker != nullptr) {
                begin_rest(*taker);
            }
            bool const has_work = taker != nullptr && taker->m_deque.seems_shared();
            while (!has_work && !task.is_done() && m_rests_for.load(relaxed) == taker) {
                m_pool->m_threads.park();
            }
            end_rest();
        }

        /// Says that it rests until `other` shares something; itself: until anybody does.
        void begin_rest(Worker& other) {
            note(m_counts.rests);
            m_rests_for.store(&other, release); // and whose thread it is
            fence(numbered(OrderSite::pool_rest, sequential));
        }
        /// Its rest is over, whoever says so. True where it was not.
        bool end_rest() {
            Worker* resting = m_rests_for.load(relaxed);
            return resting != nullptr &&
                   m_rests_for.compare_exchange(resting, nullptr, acquire, relaxed);
        }

        static void note(Atomic<u64>& count) { count.store(count.load(relaxed) + 1, relaxed); }

        WorkDeque<Task, deque_capacity> m_deque;
        alignas(sync::cache_line_bytes) Atomic<Worker*> m_rests_for{nullptr}; ///< null: it does not
        Atomic<u32> m_helpers{0}; ///< who wait for what it has taken, and find nothing to help with
        WorkPool* m_pool = nullptr;
        typename T::Thread* m_thread = nullptr;
        u32 m_next_victim = 0;
        WorkCounts m_counts;
    };

    /// `workers` outlive the pool; each is to be given to `work` by a thread of its own.
    WorkPool(T& threads, std::span<Worker> workers)
        : m_threads(threads), m_workers(workers), m_submitters(threads) {
        for (Worker& worker : workers) {
            worker.m_pool = this;
        }
    }
    WorkPool(WorkPool const&) = delete;
    WorkPool& operator=(WorkPool const&) = delete;

    /// Runs `task` on a worker, and returns when it has run. Threads that are no workers; context
    /// thread. The pool does not end meanwhile.
    void run(Task& task) {
        Submission submission(m_threads.current(), task);
        {
            sync::SpinLockGuard const guard(m_submitters.lock(), sync::save_interrupts);
            m_submitters.enqueue(submission.waiter);
            m_submissions.push_back(submission);
            m_submitted.fetch_add(1, relaxed);
        }
        wake(nullptr, 1);
        m_submitters.await(submission.waiter, std::nullopt);
    }

    /// What the thread of a worker does until the pool ends.
    void work(Worker& self) {
        self.m_thread = &m_threads.current();
        bool is_idle = false;
        for (u32 looks = 0; m_is_ending.load(relaxed) == 0;) {
            Found const found = find_work(self);
            if (found.has_any() == is_idle) {
                is_idle ? m_idle.fetch_sub(1, relaxed) : m_idle.fetch_add(1, relaxed);
                is_idle = !is_idle;
            }
            if (found.has_any()) {
                run_found(self, found);
                looks = 0;
            } else if (++looks < looks_before_rest) {
                sync::relax();
            } else {
                rest(self);
                looks = 0;
            }
        }
    }

    /// Lets all workers return from `work`; nobody is in `run`, or comes there any more. Then they
    /// end, and none may be gone while another may still wake it. Any context but nmi.
    void end() {
        CHECK(m_submitted.load(relaxed) == 0);
        m_is_ending.store(1, relaxed);
        wake(nullptr, static_cast<u32>(m_workers.size()));
    }

    std::span<Worker> workers() const { return m_workers; }

private:
    struct Submission : ListNode<SubmissionTag> {
        Submission(typename T::Thread& thread, Task& submitted) : waiter(thread), task(submitted) {}

        Waiter<T> waiter;
        Task& task;
    };

    /// There is something new: `count` of those that rest are woken, and who rests for `sharer`.
    void wake(Worker* sharer, u32 count) {
        fence(numbered(OrderSite::pool_show, sequential));
        u32 const helpers = sharer == nullptr ? 0 : sharer->m_helpers.load(relaxed);
        if (m_idle.load(relaxed) == 0 && helpers == 0) [[likely]] {
            return;
        }
        for (Worker& worker : m_workers) {
            Worker* const rests_for = worker.m_rests_for.load(relaxed);
            bool const is_idle = rests_for == &worker;
            if (rests_for == nullptr || (is_idle ? count == 0 : rests_for != sharer)) {
                continue;
            }
            if (worker.end_rest()) {
                count -= is_idle ? 1 : 0;
                m_threads.unpark(*worker.m_thread);
            }
        }
    }

    /// Something to run: what was handed in, or a task of another worker.
    struct Found {
        Submission* submission = nullptr;
        Task* task = nullptr;
        Worker* victim = nullptr;

        bool has_any() const { return submission != nullptr || task != nullptr; }
    };

    Found find_work(Worker& self) {
        if (m_submitted.load(relaxed) != 0) {
            if (Submission* const submission = take_submission()) {
                return {.submission = submission};
            }
        }
        u32 const count = static_cast<u32>(m_workers.size());
        for (u32 step = 0; step < count; ++step) {
            Worker& victim = m_workers[self.m_next_victim];
            if (&victim != &self) {
                if (Task* const task = victim.m_deque.steal([] { return true; })) {
                    return {.task = task, .victim = &victim}; // and comes here first the next time
                }
            }
            self.m_next_victim = (self.m_next_victim + 1) % count;
        }
        return {};
    }

    Submission* take_submission() {
        sync::SpinLockGuard const guard(m_submitters.lock(), sync::save_interrupts);
        if (m_submissions.empty()) {
            return nullptr;
        }
        m_submitted.fetch_sub(1, relaxed);
        return &m_submissions.pop_front();
    }

    void run_found(Worker& self, Found const& found) {
        if (found.task != nullptr) {
            self.run_taken(*found.task, *found.victim);
            return;
        }
        Task& task = found.submission->task;
        task.m_run(self, task);
        CHECK(self.m_deque.empty()); // what it has forked it has joined
        sync::SpinLockGuard const guard(m_submitters.lock(), sync::save_interrupts);
        m_submitters.grant(found.submission->waiter);
    }

    bool has_work() const {
        if (m_submitted.load(relaxed) != 0 || m_is_ending.load(relaxed) != 0) {
            return true;
        }
        for (Worker const& worker : m_workers) {
            if (worker.m_deque.seems_shared()) {
                return true;
            }
        }
        return false;
    }

    void rest(Worker& self) {
        self.begin_rest(self);
        if (mutant(Mutant::forkjoin_rest_unchecked) || !has_work()) {
            while (self.m_rests_for.load(relaxed) == &self) {
                m_threads.park();
            }
        }
        self.end_rest();
    }

    T& m_threads;
    std::span<Worker> m_workers;
    WaitList<T> m_submitters;
    IntrusiveList<Submission, SubmissionTag> m_submissions; ///< guarded by the list's lock
    Atomic<u32> m_submitted{0};                             ///< how many these are
    Atomic<u32> m_idle{0};                                  ///< workers that find nothing
    Atomic<u32> m_is_ending{0};
};

} // namespace twofold::task
