// See ring_device.hpp.
#include "hal/hosted/sim/devices/ring_device.hpp"

#include <algorithm>

namespace hosted {

using ring::Completion;
using ring::Submission;

void RingDevice::power_on(std::span<std::byte> registers) {
    m_state = ring::state_stopped;
    m_epoch = 0;
    m_waiting.clear();
    forget();
    set_register(registers, ring::signature, m_signature);
    set_register(registers, ring::version, ring::version_now);
    start_up(registers);
}

void RingDevice::written(DeviceBus& bus, u64 offset) {
    switch (offset) {
    case ring::control:
        if ((get_register<u32>(bus.registers(), ring::control) & ring::control_run) == 0) {
            stop(bus);
        } else if (m_state == ring::state_stopped) {
            start(bus);
        }
        break;
    case ring::submitted:
        fetch(bus);
        break;
    case ring::taken:
        if (is_running()) {
            u32 const taken = get_register<u32>(bus.registers(), ring::taken);
            if (taken - m_taken > m_written - m_taken) {
                fail(bus);
                return;
            }
            m_taken = taken;
            hand_back(bus);
        }
        break;
    default:
        break;
    }
}

void RingDevice::due(DeviceBus& bus, u64 tag) {
    if ((tag & outside) != 0 || (is_running() && tag >> 32 == m_epoch)) {
        happened(bus, (tag & outside) != 0 ? tag : static_cast<u32>(tag));
    }
}

void RingDevice::start(DeviceBus& bus) {
    m_submissions = get_register<u64>(bus.registers(), ring::submissions);
    m_completions = get_register<u64>(bus.registers(), ring::completions);
    m_entries = get_register<u32>(bus.registers(), ring::entries);
    bool const is_sound = is_power_of_two(m_entries) && m_entries >= ring::entries_min &&
                          m_entries <= ring::entries_max &&
                          is_aligned(m_submissions, page_size.value) &&
                          is_aligned(m_completions, page_size.value);
    if (!is_sound) {
        fail(bus);
        return;
    }
    m_fetched = 0;
    m_written = 0;
    m_taken = 0;
    set_register<u32>(bus.registers(), ring::submitted, 0);
    set_register<u32>(bus.registers(), ring::taken, 0);
    set_state(bus, ring::state_running);
}

void RingDevice::stop(DeviceBus& bus) {
    m_epoch = (m_epoch + 1) & static_cast<u32>(~outside >> 32);
    m_waiting.clear();
    forget();
    set_state(bus, ring::state_stopped);
}

void RingDevice::fail(DeviceBus& bus) {
    stop(bus);
    set_state(bus, ring::state_failed);
}

void RingDevice::set_state(DeviceBus& bus, u32 state) {
    m_state = state;
    set_register(bus.registers(), ring::state, state);
}

void RingDevice::fetch(DeviceBus& bus) {
    u32 const wanted = get_register<u32>(bus.registers(), ring::submitted);
    if (is_running() && wanted - m_fetched > m_entries) {
        fail(bus);
    }
    while (is_running() && m_fetched != wanted) {
        Submission next;
        u64 const at = m_submissions + (m_fetched & (m_entries - 1)) * sizeof(next);
        if (!bus.read({at}, std::as_writable_bytes(std::span(&next, 1)))) {
            fail(bus);
            return;
        }
        ++m_fetched;
        submitted(bus, next);
    }
}

void RingDevice::complete(DeviceBus& bus, Completion completion) {
    m_waiting.push_back(completion);
    hand_back(bus);
}

void RingDevice::hand_back(DeviceBus& bus) {
    bool has_written = false;
    while (!m_waiting.empty() && m_written - m_taken < m_entries) {
        Completion next = m_waiting.front();
        next.phase = (m_written & m_entries) == 0 ? 1 : 0;
        u64 const at = m_completions + (m_written & (m_entries - 1)) * sizeof(next);
        if (!bus.write({at}, std::as_bytes(std::span(&next, 1)))) {
            fail(bus);
            return;
        }
        m_waiting.pop_front();
        ++m_written;
        has_written = true;
    }
    if (has_written) {
        bus.interrupt();
    }
}

std::vector<std::byte> RingDevice::save() const {
    StateWriter out;
    for (u32 const word : {m_state, m_epoch, m_entries, m_fetched, m_written, m_taken}) {
        out.put(word);
    }
    out.put(m_submissions);
    out.put(m_completions);
    out.put<u64>(m_waiting.size());
    for (Completion const& each : m_waiting) {
        out.put(each);
    }
    save_own(out);
    return out.take();
}

void RingDevice::load(std::span<std::byte const> state) {
    StateReader in(state);
    for (u32* const word : {&m_state, &m_epoch, &m_entries, &m_fetched, &m_written, &m_taken}) {
        *word = in.get<u32>();
    }
    m_submissions = in.get<u64>();
    m_completions = in.get<u64>();
    m_waiting.resize(in.get<u64>());
    for (Completion& each : m_waiting) {
        each = in.get<Completion>();
    }
    load_own(in);
}

} // namespace hosted
