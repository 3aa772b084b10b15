// A lock that threads and signal handlers may take, as long as no handler interrupts its holder and
// takes it, too. Whoever waits long gives its processor away: the holder may need it.
#pragma once

#include <atomic>
#include <sched.h>

namespace hosted {

/// For std::lock_guard.
class SignalLock {
public:
    SignalLock() = default;
    SignalLock(SignalLock const&) = delete;
    SignalLock& operator=(SignalLock const&) = delete;

    void lock() {
        for (unsigned spins = 0; m_taken.exchange(true, std::memory_order_acquire); ++spins) {
            while (m_taken.load(std::memory_order_relaxed) && ++spins < spins_max) {
                asm volatile("pause");
            }
            if (spins >= spins_max) {
                sched_yield();
                spins = 0;
            }
        }
    }
    void unlock() { m_taken.store(false, std::memory_order_release); }

private:
    static constexpr unsigned spins_max = 64;

    std::atomic<bool> m_taken = false;
};

} // namespace hosted
