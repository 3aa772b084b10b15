// See interrupt_table.hpp.
#include "core/processor/interrupt_table.hpp"

namespace twofold::processor {

namespace {

Handling not_mine(void*, hal::Interruption const&) {
    if (mutant(Mutant::interrupts_stray_refused)) {
        check_failed("an interrupt has come that nobody is bound to");
    }
    return Handling::not_mine;
}

/// The controller raised nothing, or the vector is muted; that it came is all there is to it.
Handling nothing(void*, hal::Interruption const&) {
    return Handling::handled;
}

} // namespace

InterruptTable::InterruptTable() {
    m_unexpected.handler = not_mine;
    m_unexpected.name = "unexpected";
    m_unraised.handler = nothing;
    m_unraised.name = "spurious";
    m_unraised.is_acknowledged = false;
    m_muted.handler = nothing;
    m_muted.name = "muted";
    m_muted.is_bound = true;
    for (Atomic<Entry const*>& slot : m_slots) {
        slot.store(&m_unexpected, relaxed);
    }
}

void InterruptTable::open(hal::VectorRange given_out, hal::Vector spurious) {
    CHECK(!is_open() && given_out.count != 0);
    CHECK(given_out.first.value + given_out.count <= vectors_max);
    CHECK(!given_out.contains(spurious));
    m_given_out = given_out;
    m_spurious = spurious;
    m_slots[spurious.value].store(&m_unraised, twofold::release);
}

Result<hal::Vector>
InterruptTable::bind_locked(hal::Vector vector, InterruptBinding const& binding) {
    Entry& entry = m_entries[vector.value];
    if (entry.is_bound && !mutant(Mutant::interrupts_rebind)) {
        return Error::already_exists;
    }
    entry = {
        .handler = binding.handler,
        .argument = binding.argument,
        .second_half = binding.second_half,
        .name = binding.name,
        .is_acknowledged = true,
        .is_bound = true,
        .may_come_often = binding.may_come_often};
    m_slots[vector.value].store(&entry, twofold::release);
    return vector;
}

Result<hal::Vector> InterruptTable::bind(hal::Vector vector, InterruptBinding const& binding) {
    if (binding.handler == nullptr) {
        return Error::invalid_argument;
    }
    if (!is_open()) {
        return Error::invalid_state;
    }
    if (!m_given_out.contains(vector)) {
        return Error::out_of_range;
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return bind_locked(vector, binding);
}

Result<hal::Vector> InterruptTable::bind_any(InterruptBinding const& binding) {
    if (binding.handler == nullptr) {
        return Error::invalid_argument;
    }
    if (!is_open()) {
        return Error::invalid_state;
    }
    bool const is_refused = probe::fails(FaultPoint::interrupts_bind);
    if (is_refused && !mutant(Mutant::interrupts_full_late)) {
        return Error::no_space;
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (u32 i = 0; i < m_given_out.count; ++i) {
        hal::Vector const vector{static_cast<u8>(m_given_out.first.value + i)};
        if (!m_entries[vector.value].is_bound) {
            auto const bound = bind_locked(vector, binding);
            return is_refused ? Error::no_space : bound;
        }
    }
    return Error::no_space;
}

Result<void> InterruptTable::detach(hal::Vector vector) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (!m_entries[vector.value].is_bound) {
        return Error::not_found;
    }
    m_slots[vector.value].store(&m_unexpected, twofold::release);
    return {};
}

void InterruptTable::release(hal::Vector vector) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_entries[vector.value].is_bound);
    CHECK(m_slots[vector.value].load(relaxed) == &m_unexpected);
    m_entries[vector.value] = {};
}

void InterruptTable::set_muted(hal::Vector vector, bool is_muted) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    Entry const& entry = m_entries[vector.value];
    if (entry.is_bound) {
        m_slots[vector.value].store(is_muted ? &m_muted : &entry, twofold::release);
    }
}

} // namespace twofold::processor
