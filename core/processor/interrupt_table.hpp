// Which handler belongs to which vector. One table for all processors; each counts by itself
// (cpu_local.hpp).
//
// A slot leads to an entry that never changes while it is bound, so that a processor that takes an
// interrupt reads one pointer and has a handler with its own argument, without a lock. An unbound
// slot leads to an entry as well: one whose handler says that nobody asked for the interrupt.
#pragma once

#include "core/sync/sync.hpp"
#include "hal/interrupt_types.hpp"

#include <optional>
#include <string_view>

namespace twofold::processor {

/// What a handler says of the interrupt that it was called for.
enum class Handling : u8 {
    handled,  ///< it was for this handler, and is dealt with
    wake,     ///< dealt with so far; the handler's second half is to run
    not_mine, ///< nothing that this handler knows has happened
};

/// The first half of a handler: called on the processor that took the interrupt, in context `irq`,
/// interrupts off. It silences its device, notes what is to be done, and returns.
using InterruptHandler = Handling (*)(void* argument, hal::Interruption const& interruption);
/// The second half: called in context `work` with interrupts on, on the processor's worker stack.
using WorkFunction = void (*)(void* argument);

struct InterruptBinding {
    InterruptHandler handler = nullptr;
    void* argument = nullptr;
    std::string_view name; ///< for people; lives as long as the binding
    WorkFunction second_half = nullptr;
    bool may_come_often = false; ///< more often than a device: not a storm (storm.hpp)
};

class InterruptTable {
public:
    static constexpr usize vectors_max = 256;

    struct Entry {
        InterruptHandler handler = nullptr;
        void* argument = nullptr;
        WorkFunction second_half = nullptr;
        std::string_view name;
        bool is_acknowledged = true; ///< by the processor that took the interrupt
        bool is_bound = false;
        bool may_come_often = false;
    };

    /// Every vector leads to the handler that says "not mine"; none can be bound yet.
    InterruptTable();
    InterruptTable(InterruptTable const&) = delete;
    InterruptTable& operator=(InterruptTable const&) = delete;

    /// The machine has a controller: `given_out` can be bound, and `spurious` is not acknowledged.
    /// Once.
    void open(hal::VectorRange given_out, hal::Vector spurious);
    bool is_open() const { return m_given_out.count != 0; }

    /// Gives `vector` to a handler, on every processor. Errors: invalid_state (the machine has no
    /// interrupts), invalid_argument (no handler), out_of_range (the kernel may not give this one
    /// out), already_exists (it is bound). Any context but nmi; O(1).
    Result<hal::Vector> bind(hal::Vector vector, InterruptBinding const& binding);
    /// Gives any free vector to a handler. Errors: as above, and no_space. O(vectors).
    Result<hal::Vector> bind_any(InterruptBinding const& binding);
    /// Takes the vector back in two steps. From `detach` on no interrupt leads to the handler any
    /// more, but other processors may be in it; when they have left, `release` makes the vector
    /// free (see Interrupts::unbind). Errors: not_found. Any context but nmi; O(1).
    Result<void> detach(hal::Vector vector);
    void release(hal::Vector vector);
    /// While it is muted, interrupts of a bound vector are taken and forgotten. For a vector that
    /// is not bound nothing happens. Any context but nmi; O(1).
    void mute(hal::Vector vector) { set_muted(vector, true); }
    void unmute(hal::Vector vector) { set_muted(vector, false); }

    /// What an interrupt leads to. Interrupts are off while the entry is used. O(1).
    Entry const& entry(hal::Vector vector) const { return *m_slots[vector.value].load(acquire); }
    /// What is bound to a vector, muted or not. For what keeps it from being unbound meanwhile.
    Entry const& bound_entry(hal::Vector vector) const { return m_entries[vector.value]; }
    hal::VectorRange given_out() const { return m_given_out; }
    hal::Vector spurious() const { return m_spurious; }

private:
    Result<hal::Vector> bind_locked(hal::Vector vector, InterruptBinding const& binding)
        REQUIRES(m_lock);
    void set_muted(hal::Vector vector, bool is_muted);

    /// Read by every interrupt; an entry's fields are visible before the slot that leads to it.
    Atomic<Entry const*> m_slots[vectors_max];
    sync::SpinLock m_lock{sync::LockRank::interrupts};
    Entry m_entries[vectors_max]; ///< one a vector; changed under m_lock while no slot leads there
    Entry m_unexpected;
    Entry m_unraised; ///< of the spurious vector
    Entry m_muted;
    hal::VectorRange m_given_out;
    hal::Vector m_spurious;
};

} // namespace twofold::processor
