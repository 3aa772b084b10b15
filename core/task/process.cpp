// See process.hpp.
#include "core/task/process.hpp"

namespace twofold::task {

ProcessState Process::state() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_state;
}

u32 Process::threads() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_threads;
}

Result<void> Process::enter() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_state > ProcessState::running) {
        return Error::invalid_state;
    }
    m_state = ProcessState::running;
    ++m_threads;
    return {};
}

bool Process::leave() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_threads > 0);
    --m_threads;
    if (m_threads > 0 || m_id == 0) {
        return false;
    }
    m_state = ProcessState::dead;
    return true;
}

void Process::end() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_id != 0);
    if (m_state != ProcessState::dead) {
        m_state = m_threads == 0 ? ProcessState::dead : ProcessState::ending;
    }
}

} // namespace twofold::task
