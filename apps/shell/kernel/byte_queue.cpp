// See byte_queue.hpp.
#include "apps/shell/kernel/byte_queue.hpp"

namespace twofold::shell {

bool ByteQueue::push(std::string_view bytes) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (m_is_closed || bytes.size() > capacity - m_bytes.size()) {
            return false;
        }
        for (char const byte : bytes) {
            m_bytes.push(byte).value(); // there is room
        }
    }
    if (!bytes.empty()) {
        m_filled.release(static_cast<u32>(bytes.size())).value(); // far fewer than count_max
    }
    return true;
}

bool ByteQueue::push_until(char byte, Nanos deadline) {
    while (true) {
        m_emptied.reset(); // before the look: what is taken behind it sets it again
        if (push({&byte, 1})) {
            return true;
        }
        if (!m_emptied.wait_until(deadline)) {
            return false;
        }
    }
}

void ByteQueue::close() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (m_is_closed) {
            return;
        }
        m_is_closed = true;
    }
    m_filled.release().value();
}

bool ByteQueue::is_ready() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_is_closed || !m_bytes.empty();
}

std::optional<char> ByteQueue::pop() {
    m_filled.acquire();
    return take();
}

std::optional<char> ByteQueue::pop_until(Nanos deadline) {
    return m_filled.acquire_until(deadline) ? take() : std::nullopt;
}

/// What the semaphore has promised: a byte, or the end, which stays.
std::optional<char> ByteQueue::take() {
    std::optional<char> taken;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (!m_bytes.empty()) {
            taken = m_bytes.pop();
        }
        CHECK(taken || m_is_closed);
    }
    if (taken) {
        m_emptied.set();
    } else {
        m_filled.release().value();
    }
    return taken;
}

} // namespace twofold::shell
