// The locks of the metal machine itself, for registers that processors share and that take several
// accesses. Held for a few instructions, with interrupts disabled: a handler may want them too.
#pragma once

#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"

namespace metal {

using namespace twofold;

/// Holds `word` (1: held) for a scope. Any context but a non-maskable interrupt.
class [[nodiscard]] WordLockGuard {
public:
    explicit WordLockGuard(Atomic<u32>& word) : m_word(word), m_before(hal::Interrupt::disable()) {
        while (m_word.exchange(1, acquire) != 0) { // a holder is never held up by a waiter
            hal::Cpu::pause();
        }
    }
    WordLockGuard(WordLockGuard const&) = delete;
    WordLockGuard& operator=(WordLockGuard const&) = delete;
    ~WordLockGuard() {
        m_word.store(0, release);
        hal::Interrupt::restore(m_before);
    }

private:
    Atomic<u32>& m_word;
    hal::InterruptState m_before;
};

/// Interrupts off for a scope.
class [[nodiscard]] InterruptsOff {
public:
    InterruptsOff() : m_before(hal::Interrupt::disable()) {}
    InterruptsOff(InterruptsOff const&) = delete;
    InterruptsOff& operator=(InterruptsOff const&) = delete;
    ~InterruptsOff() { hal::Interrupt::restore(m_before); }

private:
    hal::InterruptState m_before;
};

} // namespace metal
