// See scope.hpp, spawn.hpp.
#include "core/async/scope.hpp"

#include "core/async/spawned.hpp"

namespace twofold::async {

void Scope::cancel() {
    m_open.fetch_add(1, relaxed); // so that it lasts until the note was taken
    if (note(asked)) {
        m_executor.add(*this);
    } else {
        leave();
    }
}

void Scope::take_note(Runnable& self) {
    auto& scope = static_cast<Scope&>(self);
    scope.begin();
    scope.cancel_all();
    scope.leave();
}

void Scope::start(Job& job, std::coroutine_handle<> first) {
    m_open.fetch_add(1, relaxed); // whoever spawns is in it, or has yet to wait for its end
    job.prepare(m_executor, *this, first);
    m_executor.add(job);
}

void Scope::ended(Family& self, Job& job) {
    auto& scope = static_cast<Scope&>(self);
    static_cast<SpawnedJob&>(job).end(); // with that the job may be gone
    scope.leave();
}

/// The last one out lets go on who waits, and the scope may be gone.
void Scope::leave() {
    if (m_open.fetch_sub(1, acquire_release) == 1) {
        m_open.store(1, relaxed);
        m_waiter->grant();
    }
}

bool Scope::wait_for_end(Wait& wait) {
    m_waiter = &wait;
    if (m_open.fetch_sub(1, acquire_release) == 1) {
        m_open.store(1, relaxed);
        return true;
    }
    return false;
}

} // namespace twofold::async
