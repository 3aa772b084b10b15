// What reaches the processors of a simulated machine: interrupts, messages, deadlines, random
// bytes, and whatever is to go wrong with them. See sim_engine.hpp.
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

namespace hosted {

namespace {

/// Between an interrupt and the same once more.
constexpr i64 repeat_ns = 1'000;

} // namespace

std::optional<u64> SimEngine::meet_fault(FaultId id, u32 slot) {
    if (m_config.faults_where_marked && !m.is_marked) {
        return std::nullopt;
    }
    std::optional<u64> const amount = m.faults.fires(id, slot, m.now_ns);
    if (amount) {
        note_moment(SimMoment::Kind::fault, slot, static_cast<u64>(id), m.now_ns, m.now_ns);
    }
    return amount;
}

std::optional<u64> SimEngine::device_fault(DeviceFault fault_kind) {
    return fault(fault_id(fault_kind), m_running == nullptr ? 0 : m_running->slot());
}

/// The kernel asks of the points that can fail, and only while they do.
void SimEngine::arm_points() {
    bool const is_active = !m_config.faults_where_marked || m.is_marked;
    m_board.guest().points_armed = is_active ? m.faults.armed_points() : 0;
}

/// Whether the deadline of a processor that comes now comes later instead.
bool SimEngine::is_put_off(u32 slot) {
    i64& wanted = processor(slot).cpu().deadline.wanted_ns;
    if (wanted == m.slots[slot].put_off_to_ns) {
        return false; // once is enough
    }
    if (auto const late_ns = fault(fault_id(EngineFault::timer_jitter), slot)) {
        wanted += static_cast<i64>(*late_ns);
        m.slots[slot].put_off_to_ns = wanted;
        return *late_ns != 0;
    }
    return false;
}

/// Lets the next thing happen that is to happen at `limit_ns` or before; false: there is none.
bool SimEngine::happen_before(i64 limit_ns, Overview const& now) {
    i64 const first_ns = std::min(now.deadline_ns, now.event_ns);
    if (first_ns > limit_ns || first_ns == EventQueue::never || first_ns >= m_limit.time_ns) {
        return false;
    }
    m.now_ns = std::max(m.now_ns, first_ns);
    if (now.deadline_ns <= now.event_ns) {
        if (!is_put_off(now.sleeper)) {
            wake(now.sleeper, now.deadline_ns);
        }
        return true;
    }
    happen(m.events.take_first());
    return true;
}

void SimEngine::happen(SimEvent const& event) {
    switch (event.kind) {
    case SimEvent::Kind::look:
        wake(event.slot, event.at_ns);
        break;
    case SimEvent::Kind::interrupt:
        set_pending(event.slot, hal::Vector{static_cast<u8>(event.value)}, event.at_ns);
        break;
    case SimEvent::Kind::device:
        note_moment(SimMoment::Kind::device, event.slot, event.value, event.at_ns, event.at_ns);
        m_board.device_due(event.slot, event.value);
        break;
    }
}

/// The vector is there for the processor.
void SimEngine::set_pending(u32 slot, hal::Vector vector, i64 at_ns) {
    processor(slot).cpu().interrupts.raised.set(vector);
    ++m.counts.interrupts;
    note_moment(SimMoment::Kind::interrupt, slot, vector.value, at_ns, at_ns);
    wake(slot, at_ns);
}

void SimEngine::set_pending_later(u32 slot, hal::Vector vector, i64 at_ns) {
    m.events.add(
        {.at_ns = at_ns, .kind = SimEvent::Kind::interrupt, .slot = slot, .value = vector.value});
}

/// A message is on its way: what the sender has written arrives later.
void SimEngine::notify(u32 slot, GuestCpu const& cpu) {
    auto const target = static_cast<u32>(cpu.arguments[0]);
    hal::Vector const vector{static_cast<u8>(cpu.arguments[1])};
    i64 at_ns = m.slots[slot].now_ns + m_config.costs.message_delay_ns;
    if (!vectors.contains(vector)) {
        m.events.add({.at_ns = at_ns, .kind = SimEvent::Kind::look, .slot = target});
        return;
    }
    processor(target).cpu().interrupts.raised.take(vector);
    if (fault(fault_id(EngineFault::message_lost), slot)) {
        return;
    }
    at_ns += static_cast<i64>(fault(fault_id(EngineFault::message_late), slot).value_or(0));
    set_pending_later(target, vector, at_ns);
    if (fault(fault_id(EngineFault::message_duplicated), slot)) {
        set_pending_later(target, vector, at_ns + repeat_ns);
    }
}

/// Something is there for a processor: if it sleeps, it goes on at `at_ns`.
void SimEngine::wake(u32 slot, i64 at_ns) {
    SimRun::Slot& woken = m.slots[slot];
    if (woken.state == State::sleeping) {
        woken.state = State::ready;
        woken.now_ns = std::max(woken.now_ns, at_ns);
    }
}

void SimEngine::raise(Processor& target, hal::Vector vector) {
    u32 const slot = target.slot();
    if (fault(fault_id(EngineFault::interrupt_lost), slot)) {
        return;
    }
    i64 at_ns = m.now_ns;
    if (auto const late_ns = fault(fault_id(EngineFault::interrupt_late), slot)) {
        at_ns += static_cast<i64>(*late_ns);
        set_pending_later(slot, vector, at_ns);
    } else {
        set_pending(slot, vector, at_ns);
    }
    u64 repeats = fault(fault_id(EngineFault::interrupt_duplicated), slot) ? 1 : 0;
    repeats += fault(fault_id(EngineFault::interrupt_storm), slot).value_or(0);
    for (u64 repeat = 1; repeat <= repeats; ++repeat) {
        set_pending_later(slot, vector, at_ns + static_cast<i64>(repeat) * repeat_ns);
    }
}

void SimEngine::fill_random(std::span<std::byte> bytes) {
    bool const is_repeated =
        fault(fault_id(EngineFault::entropy_repeated), m_running == nullptr ? 0 : m_running->slot())
            .has_value();
    if (!is_repeated || m.last_random.empty()) {
        m.last_random.resize(bytes.size());
        for (std::byte& byte : m.last_random) {
            byte = static_cast<std::byte>(m.entropy.next() >> 56);
        }
    }
    for (usize i = 0; i < bytes.size(); ++i) {
        bytes[i] = m.last_random[i % m.last_random.size()];
    }
}

void SimEngine::call_later(u32 device, u64 delay_ns, u64 tag) {
    call_at(device, m.now_ns + static_cast<i64>(delay_ns), tag);
}

void SimEngine::call_at(u32 device, i64 at_ns, u64 tag) {
    m.events.add({.at_ns = at_ns, .kind = SimEvent::Kind::device, .slot = device, .value = tag});
}

/// Makes what has happened a part of the run's hash.
void SimEngine::note_moment(SimMoment::Kind kind, u32 slot, u64 value, i64 at_ns, i64 since_ns) {
    u64 const word = static_cast<u64>(kind) << 60 ^ value << 56 ^ static_cast<u64>(slot) << 48 ^
                     static_cast<u64>(at_ns);
    m.counts.hash = SplitMix64(m.counts.hash ^ word).next();
    ++m.counts.moments;
    if (m_observer != nullptr) {
        m_observer->on_moment(
            {m.counts.moments, at_ns, since_ns, kind, slot, value, m.counts.hash});
    }
}

} // namespace hosted
