// Tasks that one task runs beside each other and waits for: when_all, when_any, with_timeout. They
// lie in the frame that awaits them, run on its executor, and have ended before it goes on; so they
// may refer to what lies in that frame, and nothing is allocated.
//
// Who waits for them and is asked to end asks them to, and goes on when they have ended.
#pragma once

#include "core/async/task.hpp"

#include <tuple>

namespace twofold::async {

/// What the awaiters below share. In the frame that awaits.
class Group : public TaskWait, protected Family {
public:
    static bool await_ready() noexcept { return false; }

protected:
    explicit Group(Ended ended) : TaskWait(&withdraw), Family(ended) {}

    /// The job of who awaits is about to wait.
    void begin(Job& waiting, std::coroutine_handle<> awaiting) {
        waiting.suspend(awaiting, *this);
        if (waiting.is_cancelled()) {
            cancel_all();
        }
    }
    template<class T>
    void start(Task<T>& task) {
        if (task.has_frame()) {
            Job& child = task.promise();
            child.prepare(job().executor(), *this, task.handle());
            job().executor().add_own(child);
            ++m_running;
        }
    }
    /// One has ended, or never began: whether it was the last.
    bool is_last() { return --m_running == 0; }
    u32 running() const { return m_running; }

private:
    static bool withdraw(TaskWait& self) {
        static_cast<Group&>(self).cancel_all();
        return false; // who ends last grants it
    }

    u32 m_running = 0;
};

/// All of them. Errors are each task's own.
template<class... Ts>
class [[nodiscard]] WhenAll : public Group {
public:
    explicit WhenAll(Task<Ts>... tasks) : Group(&ended), m_tasks(std::move(tasks)...) {}

    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        Job& waiting = awaiting.promise().job();
        begin(waiting, awaiting);
        std::apply([this](auto&... each) { (this->start(each), ...); }, m_tasks);
        if (running() == 0) { // no frame at all
            waiting.resume_at_once();
            return false;
        }
        return true;
    }
    std::tuple<Awaited<Ts>...> await_resume() {
        return std::apply(
            [](auto&... each) { return std::tuple<Awaited<Ts>...>(each.take_value()...); },
            m_tasks);
    }

private:
    static void ended(Family& self, Job&) {
        auto& group = static_cast<WhenAll&>(self);
        if (group.is_last()) {
            group.grant();
        }
    }

    std::tuple<Task<Ts>...> m_tasks;
};

/// `co_await when_all(a(scope), b(scope))`: runs them beside each other; a std::tuple of what each
/// returned, as awaiting it would.
template<class... Ts>
WhenAll<Ts...> when_all(Task<Ts>... tasks) {
    static_assert(sizeof...(Ts) > 0);
    return WhenAll<Ts...>(std::move(tasks)...);
}

/// What when_any gives.
template<class... Ts>
struct FirstOf {
    usize index; ///< of the task that ended first
    std::tuple<Awaited<Ts>...> results;
};

template<class... Ts>
class [[nodiscard]] WhenAny : public Group {
public:
    explicit WhenAny(Task<Ts>... tasks) : Group(&ended), m_tasks(std::move(tasks)...) {}

    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        Job& waiting = awaiting.promise().job();
        begin(waiting, awaiting);
        for_each([this](usize index, auto& task) {
            if (!task.has_frame() && m_first == none) { // that is an end, and the first
                m_first = index;
                cancel_all();
            }
        });
        for_each([this](usize, auto& task) { this->start(task); });
        if (running() == 0) {
            waiting.resume_at_once();
            return false;
        }
        return true;
    }
    FirstOf<Ts...> await_resume() {
        return {
            m_first,
            std::apply(
                [](auto&... each) { return std::tuple<Awaited<Ts>...>(each.take_value()...); },
                m_tasks)};
    }

private:
    static constexpr usize none = sizeof...(Ts);

    template<class Visit>
    void for_each(Visit const& visit) {
        std::apply(
            [&](auto&... each) {
                usize index = 0;
                (visit(index++, each), ...);
            },
            m_tasks);
    }
    static void ended(Family& self, Job& job) {
        auto& group = static_cast<WhenAny&>(self);
        if (group.m_first == none) {
            group.for_each([&](usize index, auto& task) {
                if (task.has_frame() && static_cast<Job*>(&task.promise()) == &job) {
                    group.m_first = index;
                }
            });
            group.cancel_all();
        }
        if (group.is_last()) {
            group.grant();
        }
    }

    std::tuple<Task<Ts>...> m_tasks;
    usize m_first = none;
};

/// `co_await when_any(a(scope), b(scope))`: runs them beside each other; when one has ended the
/// others are asked to, and it waits until they have. One without a frame counts as ended.
template<class... Ts>
WhenAny<Ts...> when_any(Task<Ts>... tasks) {
    static_assert(sizeof...(Ts) > 0);
    return WhenAny<Ts...>(std::move(tasks)...);
}

template<class T>
class [[nodiscard]] WithTimeout : public Group, private Deadline {
public:
    WithTimeout(Nanos deadline, Task<T> task)
        : Group(&ended), Deadline(&pass), m_deadline(deadline), m_task(std::move(task)) {}

    bool await_ready() const noexcept { return !m_task.has_frame(); }
    template<TaskPromise P>
    void await_suspend(std::coroutine_handle<P> awaiting) {
        Job& waiting = awaiting.promise().job();
        begin(waiting, awaiting);
        waiting.executor().start(*this, m_deadline);
        start(m_task);
    }
    Awaited<T> await_resume() {
        return m_has_passed ? Awaited<T>(Error::timed_out) : m_task.take_value();
    }

private:
    static void pass(Deadline& self) {
        auto& group = static_cast<WithTimeout&>(self);
        group.m_has_passed = true;
        group.cancel_all();
    }
    static void ended(Family& self, Job&) {
        auto& group = static_cast<WithTimeout&>(self);
        if (group.is_queued()) {
            group.job().executor().cancel(group);
        }
        if (group.is_last()) {
            group.grant();
        }
    }

    Nanos m_deadline;
    Task<T> m_task;
    bool m_has_passed = false;
};

/// `co_await with_timeout(deadline, task)`: what the task returns if it ends before the deadline;
/// else it is asked to end, has ended when this goes on, and the error is timed_out, whatever it
/// returned. Errors beside the task's own: out_of_memory, timed_out.
template<class T>
WithTimeout<T> with_timeout(Nanos deadline, Task<T> task) {
    return WithTimeout<T>(deadline, std::move(task));
}

} // namespace twofold::async
