// Task<T>: a coroutine that has yet to be awaited or spawned.
//
//      async::Task<Result<u32>> measure(async::Scope& scope, Sensor& sensor) {
//          auto const raw = co_await sensor.read(scope);
//          if (!raw) {
//              co_return raw.error();
//          }
//          co_return scale(raw.value());
//      }
//
// Its first parameter, behind the object of a member function, is the scope whose allocator its
// frame comes from. Parameters are kept in the frame: references must outlive it.
//
// A frame that cannot be had is an error of who awaits: awaiting a Task<T> gives a Result<T>, and
// awaiting a Task<Result<U>> a Result<U>, with Error::out_of_memory. So nobody takes a task that
// never ran for one that did.
//
// For compilers with faults of their own (g++ 12) co_await stands in no condition: not of `if`,
// `while`, `for`, `switch`, `?:`, `&&` and `||`. What it gives is named first. Otherwise a frame
// may begin with a variable of the compiler's own, and handles lead past its beginning; which is
// checked (is_frame). And there is no co_return inside of a statement expression (TRY), which it
// does not compile.
#pragma once

#include "core/async/scope.hpp"
#include "core/async/spawned.hpp"

#include <concepts>
#include <optional>
#include <utility>

namespace twofold::async {

template<class T>
class [[nodiscard]] Task;

namespace detail {

template<class T>
struct AwaitedType {
    using Type = Result<T>;
};
template<class T>
struct AwaitedType<Result<T>> {
    using Type = Result<T>;
};

} // namespace detail

/// What awaiting a Task<T> gives.
template<class T>
using Awaited = typename detail::AwaitedType<T>::Type;

/// What the promises of all coroutines have.
class PromiseBase : public SpawnedJob {
public:
    /// The job that it runs in: its own, or that of who awaits it.
    Job& job() const { return *m_job; }
    /// It runs in `job`, and `awaiting` goes on when it has ended.
    void run_in(Job& job, std::coroutine_handle<> awaiting) {
        m_job = &job;
        m_awaiting = awaiting;
    }

    static std::suspend_always initial_suspend() noexcept { return {}; }
    /// Notes what goes on; the frame stays until who owns it destroys it.
    class FinalAwaiter {
    public:
        explicit FinalAwaiter(PromiseBase& promise) : m_promise(promise) {}
        static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<>) const noexcept { m_promise.finish(); }
        static void await_resume() noexcept {}

    private:
        PromiseBase& m_promise;
    };
    FinalAwaiter final_suspend() noexcept { return FinalAwaiter(*this); }
    [[noreturn]] static void unhandled_exception() noexcept { UNREACHABLE(); }

    template<class... Rest>
    static void* operator new(usize size, Scope& scope, Rest&...) noexcept {
        return allocate_frame(scope.frames(), size);
    }
    template<class Object, class... Rest>
    static void* operator new(usize size, Object&, Scope& scope, Rest&...) noexcept {
        return allocate_frame(scope.frames(), size);
    }
    // NOLINTNEXTLINE(misc-new-delete-overloads): the two above are its other half
    static void operator delete(void* frame, usize size) noexcept { free_frame(frame, size); }

private:
    void finish() {
        if (m_awaiting != nullptr) {
            m_job->set_next(m_awaiting);
        } else {
            m_job->set_over();
        }
    }

    Job* m_job = this;
    std::coroutine_handle<> m_awaiting;
};

/// A coroutine of this room, which awaiters look into.
template<class P>
concept TaskPromise = std::derived_from<P, PromiseBase>;

template<class T>
class Promise final : public PromiseBase {
public:
    Task<T> get_return_object();
    static Task<T> get_return_object_on_allocation_failure();

    template<class U = Awaited<T>>
        requires std::convertible_to<U, Awaited<T>>
    void return_value(U&& value) {
        m_value.emplace(std::forward<U>(value));
    }
    Awaited<T> take_value() {
        CHECK(m_value.has_value());
        return std::move(*m_value);
    }

private:
    std::optional<Awaited<T>> m_value;
};

template<>
class Promise<void> final : public PromiseBase {
public:
    Task<void> get_return_object();
    static Task<void> get_return_object_on_allocation_failure();

    void return_void() {}
    Result<void> take_value() { return {}; }
};

/// Owns its frame. Moves; empty after a move.
template<class T>
class [[nodiscard]] Task {
public:
    using promise_type = Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle frame) : m_frame(frame) {
        CHECK(frame == nullptr || is_frame(frame.address()));
    }
    Task(Task&& other) noexcept : m_frame(std::exchange(other.m_frame, nullptr)) {}
    Task& operator=(Task&&) = delete;
    Task(Task const&) = delete;
    Task& operator=(Task const&) = delete;
    /// It does not run: it was not begun, or has ended.
    ~Task() {
        if (m_frame != nullptr) {
            m_frame.destroy();
        }
    }

    /// Whether there was memory for its frame.
    bool has_frame() const { return m_frame != nullptr; }
    promise_type& promise() const { return m_frame.promise(); }
    Handle handle() const { return m_frame; }
    Handle release() { return std::exchange(m_frame, nullptr); }
    /// What it returned, once; it has ended, or has no frame.
    Awaited<T> take_value() {
        return m_frame != nullptr ? promise().take_value() : Awaited<T>(Error::out_of_memory);
    }

    // As an awaiter: runs it, in the job of who awaits it.

    bool await_ready() const noexcept { return m_frame == nullptr; }
    template<TaskPromise P>
    void await_suspend(std::coroutine_handle<P> awaiting) {
        Job& job = awaiting.promise().job();
        promise().run_in(job, awaiting);
        job.set_next(m_frame);
    }
    Awaited<T> await_resume() { return take_value(); }

private:
    Handle m_frame;
};

template<class T>
Task<T> Promise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
template<class T>
Task<T> Promise<T>::get_return_object_on_allocation_failure() {
    return Task<T>(nullptr);
}
inline Task<void> Promise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object_on_allocation_failure() {
    return Task<void>(nullptr);
}

} // namespace twofold::async
