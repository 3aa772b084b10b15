// What a workload tells the simulation of itself (core/base/probe_types.hpp). See sim_engine.hpp.
#include "hal/hosted/sim/sim_engine.hpp"

namespace hosted {

void SimEngine::answer_note(u32 slot, GuestCpu const& cpu) {
    u64 const value = cpu.arguments[1];
    m.progress_ns = m.now_ns;
    switch (static_cast<probe::Note>(cpu.arguments[0])) {
    case probe::Note::operation:
        m.operations.push_back(value);
        note_moment(SimMoment::Kind::operation, slot, value, m.now_ns, m.now_ns);
        break;
    case probe::Note::begin:
        mark(slot, true);
        break;
    case probe::Note::end:
        mark(slot, false);
        for (auto const& device : m_board.devices()) {
            device->faults_are_over();
        }
        break;
    case probe::Note::bears:
        CHECK(value < error_count);
        m.borne |= u64{1} << value;
        break;
    case probe::Note::damage:
        m.has_met_damage = true;
        break;
    case probe::Note::progress:
        break;
    }
}

/// What is to be explored begins, or is over.
void SimEngine::mark(u32 slot, bool is_marked) {
    m.is_marked = is_marked;
    m.last = slot;
    m.last_spun = false;
    m.last_ran_ns = 0;
    set_spins_give_way();
    arm_points();
}

/// Where processors share one time, who spins must not keep it from the others.
void SimEngine::set_spins_give_way() {
    bool const gives_way = has_one_time();
    for (auto const& each : m_board.processors()) {
        each->cpu().time.spins_give_way = gives_way;
    }
}

} // namespace hosted
