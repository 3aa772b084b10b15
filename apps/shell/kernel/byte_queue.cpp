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

bool ByteQueue::put_back(char byte) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        usize const behind = m_bytes.size();
        if (!m_bytes.push(byte)) {
            return false;
        }
        for (usize left = behind; left > 0; --left) {
            m_bytes.push(*m_bytes.pop()).value(); // all go round once, and there is room
        }
    }
    m_filled.release().value();
    return true;
}

std::optional<char> ByteQueue::extract(std::string_view wanted) {
    std::optional<char> found;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        for (usize left = m_bytes.size(); left > 0; --left) {
            auto const byte = m_bytes.pop();
            if (!found && wanted.find(*byte) != std::string_view::npos) {
                found = byte;
            } else {
                m_bytes.push(*byte).value(); // all go round once, and there is room
            }
        }
    }
    if (found) {
        // Its part of the semaphore; whoever has that already finds nothing, and waits on.
        static_cast<void>(m_filled.try_acquire());
        m_emptied.set();
    }
    return found;
}

std::optional<char> ByteQueue::pop() {
    std::optional<char> byte;
    do {
        m_filled.acquire();
    } while (!take(byte));
    return byte;
}

std::optional<char> ByteQueue::pop_until(Nanos deadline) {
    std::optional<char> byte;
    while (m_filled.acquire_until(deadline) && !take(byte)) {
    }
    return byte;
}

/// What the semaphore has promised: a byte, or the end, which stays. False: the byte was extracted
/// meanwhile.
bool ByteQueue::take(std::optional<char>& byte) {
    bool is_end = false;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        byte = m_bytes.pop();
        is_end = !byte && m_is_closed;
    }
    if (byte) {
        m_emptied.set();
    } else if (is_end) {
        m_filled.release().value();
    }
    return byte || is_end;
}

} // namespace twofold::shell
