// See wait_list.hpp, waits.hpp.
#include "core/async/waits.hpp"

namespace twofold::async {

bool AsyncSemaphore::try_acquire() {
    sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
    bool const has = m_count > 0; // and so nobody waits
    m_count -= has ? 1 : 0;
    return has;
}

bool AsyncSemaphore::take_or_wait(Wait& wait) {
    sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
    if (m_count > 0) {
        --m_count;
        return true;
    }
    m_list.push(wait);
    return false;
}

Result<void> AsyncSemaphore::release(u32 count) {
    bool is_first = true;
    while (is_first || count != 0) {
        Wait* next = nullptr;
        {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            if (is_first && count > count_max - m_count - m_promised) {
                return Error::out_of_range;
            }
            m_promised += is_first ? count : 0;
            is_first = false;
            next = count != 0 ? m_list.pop() : nullptr;
            u32 const given = next != nullptr ? 1 : count;
            m_promised -= given;
            m_count += next != nullptr ? 0 : given;
            count -= given;
        }
        if (next != nullptr) {
            next->grant();
        }
    }
    return {};
}

u32 AsyncSemaphore::count() {
    sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
    return m_count;
}

bool Event::take_or_wait(Wait& wait) {
    sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
    if (!m_is_set) {
        m_list.push(wait);
    }
    return m_is_set;
}

void Event::set() {
    m_list.grant_all([this] { m_is_set = true; }, {});
}

bool Event::is_set() {
    sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
    return m_is_set;
}

} // namespace twofold::async
