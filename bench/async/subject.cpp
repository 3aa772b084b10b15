// See subject.hpp.
#include "bench/async/subject.hpp"

namespace twofold::bench {

using namespace twofold::async;

namespace {

Task<void> count_one(Scope&, u64& ended) {
    ++ended;
    co_return;
}
Task<void> count_wakes(Scope&, std::optional<Waker>& waker, u64& woken) {
    waker = co_await this_waker();
    while (true) {
        auto const outcome = co_await until_woken();
        if (!outcome) {
            co_return;
        }
        ++woken;
    }
}
Task<void> give_way(Scope&, u32 count, u64& given) {
    for (u32 turn = 0; turn < count; ++turn) {
        co_await async::yield();
        ++given;
    }
}
Task<u64> await_all(Scope& scope, u32 count) {
    u64 ended = 0;
    for (u32 turn = 0; turn < count; ++turn) {
        static_cast<void>(co_await count_one(scope, ended));
    }
    co_return ended;
}
Task<void> sleep_until_then(Scope&, Nanos until, u64& woken) {
    auto const outcome = co_await sleep_until(until);
    woken += outcome ? 1 : 0;
}

} // namespace

AsyncSubject::AsyncSubject(FrameSource const& frames, memory::KernelStack const& stack)
    : m_executor(
          {.now = [](void* self) { return static_cast<AsyncSubject*>(self)->m_now; },
           .wake = [](void*) {},
           .object = this}),
      m_cache(m_executor, frames),
      m_scope(m_executor, m_cache.frames()) {
    m_executor.set_stack(stack.base, stack.size);
    async::spawn(m_scope, count_wakes(m_scope, m_waker, m_woken)).detach();
    run();
}

AsyncSubject::~AsyncSubject() {
    m_scope.cancel();
    run();
}

u64 AsyncSubject::spawn(u32 count) {
    u64 ended = 0;
    for (u32 number = 0; number < count; ++number) {
        async::spawn_detached(m_scope, count_one(m_scope, ended));
    }
    run();
    return ended;
}

u64 AsyncSubject::wake(u32 count) {
    u64 const before = m_woken;
    for (u32 number = 0; number < count; ++number) {
        m_waker->wake();
        m_executor.turn();
    }
    return m_woken - before;
}

u64 AsyncSubject::yield(u32 count) {
    u64 given = 0;
    async::spawn(m_scope, give_way(m_scope, (count + 1) / 2, given)).detach();
    async::spawn(m_scope, give_way(m_scope, (count + 1) / 2, given)).detach();
    run();
    return given;
}

u64 AsyncSubject::await_in_a_row(u32 count) {
    auto task = async::spawn(m_scope, await_all(m_scope, count));
    run();
    u64 ended = 0;
    auto read = [&](Scope&) -> Task<void> {
        auto const value = co_await task.join();
        ended = value ? value.value() : 0;
    };
    async::spawn(m_scope, read(m_scope)).detach();
    run();
    return ended;
}

u64 AsyncSubject::sleep(u32 count) {
    u64 woken = 0;
    for (u32 number = 0; number < count; ++number) {
        Nanos const until = m_now + Nanos{1 + static_cast<i64>(number) * 7919 % count};
        async::spawn(m_scope, sleep_until_then(m_scope, until, woken)).detach();
    }
    run();
    m_now = m_now + Nanos{count + 1};
    run();
    return woken;
}

} // namespace twofold::bench
