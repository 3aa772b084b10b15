// See scope.hpp, spawn.hpp.
#include "core/async/scope.hpp"

#include "core/async/spawned.hpp"

namespace twofold::async {

void Scope::cancel() {
    m_open.fetch_add(1, relaxed); // so that it lasts until the note was taken
    if (note(asked)) {
        m_executor.add(*this);
    } else {
        leave(1);
    }
}

void Scope::wait_for_end(Wait& wait) {
    m_waiter = &wait;
    m_open.fetch_add(1, relaxed);
    if (note(woken)) {
        m_executor.add(*this);
    } else {
        leave(1);
    }
}

void Scope::take_note(Runnable& self) {
    auto& scope = static_cast<Scope&>(self);
    u32 const noted = scope.begin();
    if ((noted & asked) != 0) {
        scope.cancel_all();
    }
    u32 count = 1; // this note
    if ((noted & woken) != 0) {
        CHECK(!scope.m_is_awaited);
        scope.m_is_awaited = true;
        count += 1 + scope.m_ended;
        scope.m_ended = 0;
    }
    scope.leave(count);
}

void Scope::start(Job& job, std::coroutine_handle<> first) {
    job.prepare(m_executor, *this, first);
    // Whoever spawns is in the scope, or has yet to wait for its end: it lasts.
    if (!m_executor.is_here()) {
        m_open.fetch_add(1, relaxed);
        m_executor.add(job);
        return;
    }
    if (m_ended != 0) {
        --m_ended; // the count of one that is over is this one's
    } else {
        m_open.fetch_add(1, relaxed);
    }
    m_executor.add_here(job);
}

void Scope::ended(Family& self, Job& job) {
    auto& scope = static_cast<Scope&>(self);
    static_cast<SpawnedJob&>(job).end(); // with that the job may be gone
    if (scope.m_is_awaited) {
        scope.leave(1);
    } else {
        ++scope.m_ended;
    }
}

/// The last one out lets go on who waits, and the scope may be gone.
void Scope::leave(u32 count) {
    if (m_open.fetch_sub(count, acquire_release) == count) {
        m_open.store(1, relaxed);
        m_is_awaited = false;
        m_waiter->grant();
    }
}

} // namespace twofold::async
