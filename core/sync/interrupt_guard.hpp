// Interrupts off for a scope. The only way for kernel code to touch the interrupt flag; locks do it
// through their guards.
#pragma once

#include "hal/interrupt.hpp"

namespace twofold::sync {

/// Interrupts are off on this processor while it lives; then they are as they were before. Scopes
/// nest. A function that takes one by reference may rely on it: the caller stays on its processor.
class [[nodiscard]] InterruptGuard {
public:
    InterruptGuard() : m_before(hal::Interrupt::disable()) {}
    ~InterruptGuard() { hal::Interrupt::restore(m_before); }
    InterruptGuard(InterruptGuard const&) = delete;
    InterruptGuard& operator=(InterruptGuard const&) = delete;

private:
    hal::InterruptState m_before;
};

/// Lets interrupts through where code begins that is a thread of its own: at the end of the
/// start-up, on a stack that was switched to; and holds them back where it ends. Everywhere else
/// guards restore what was before.
inline void enable_interrupts() {
    hal::Interrupt::restore(hal::InterruptState::enabled);
}
inline void disable_interrupts() {
    static_cast<void>(hal::Interrupt::disable());
}

} // namespace twofold::sync
