// The machine's side of one virtual CPU: what its faults work on, and the way into its kernel.
#pragma once

#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/signals.hpp"

namespace hosted {

class Processor {
public:
    /// A processor whose shared part lies at `place`.
    Processor(GuestCpu* place, Mmu& mmu, Image const& image);
    Processor(Processor const&) = delete;
    Processor& operator=(Processor const&) = delete;

    GuestCpu& cpu() { return m_signals.cpu; }
    GuestCpu const& cpu() const { return m_signals.cpu; }
    u32 slot() const { return m_signals.cpu.slot; }
    SignalTarget& signals() { return m_signals; }
    SignalTarget const& signals() const { return m_signals; }

    /// Continues the kernel until it asks for something, in a SignalScope with GS set.
    void enter_kernel();
    /// For a kernel that starts over.
    void forget() { m_signals.forget(); }
    /// Empties what a sanitizer holds against its stacks: their frames will not be left in order.
    void forget_stacks();

private:
    SignalTarget m_signals;
};

} // namespace hosted
