// All that changes while a simulated machine runs, beside its memory and its board: a value.
#pragma once

#include "hal/hosted/engine.hpp"
#include "hal/hosted/sim/event_queue.hpp"
#include "hal/hosted/sim/faults.hpp"
#include "hal/hosted/sim/schedule.hpp"

namespace hosted {

/// What a simulation has done so far.
struct SimCounts {
    u64 moments = 0;    ///< what has happened: turns, interrupts, faults
    u64 turns = 0;      ///< times that a processor was let run
    u64 interrupts = 0; ///< raised
    u64 hash = 0; ///< of who ran when and what was asked: equal for two runs that are the same
};

/// A schedule as a value.
class OwnSchedule {
public:
    OwnSchedule() = default;
    OwnSchedule(Schedule const* from) : m_schedule(from == nullptr ? nullptr : from->copy()) {}
    OwnSchedule(OwnSchedule const& other) : OwnSchedule(other.m_schedule.get()) {}
    OwnSchedule(OwnSchedule&&) = default;
    OwnSchedule& operator=(OwnSchedule other) {
        m_schedule = std::move(other.m_schedule);
        return *this;
    }
    ~OwnSchedule() = default;

    Schedule* get() const { return m_schedule.get(); }
    Schedule* operator->() const { return m_schedule.get(); }
    /// Reading: into a schedule of the same kind.
    void archive(StateArchive& state) {
        if (m_schedule != nullptr) {
            m_schedule->archive(state);
        }
    }

private:
    std::unique_ptr<Schedule> m_schedule;
};

struct SimRun : EngineState {
    enum class State : u8 { off, ready, sleeping, halted };

    struct Slot {
        State state = State::off;
        bool has_stalled = false;
        i64 now_ns = 0;
        i64 put_off_to_ns = -1;    ///< a deadline that a fault has put off
        i64 pending_since_ns = -1; ///< an interrupt that it could take, were they enabled
    };

    /// A turn that a limit has cut: it goes on as if it had not.
    struct OpenTurn {
        u32 slot = 0;
        bool is_alone = false; ///< no other processor could run
        i64 since_ns = 0;
        i64 until_ns = 0;
    };

    std::vector<Slot> slots;
    EventQueue events;
    RandomSchedule random{0};
    OwnSchedule explored;
    OwnSchedule saved;
    Random entropy{0};
    std::vector<std::byte> last_random;
    FaultInjector faults;
    bool is_cut = false; ///< power has gone
    i64 now_ns = 0;      ///< of what runs or has just happened
    SimCounts counts;
    std::optional<OpenTurn> open_turn;
    std::optional<u32> last; ///< who had the last turn
    bool last_spun = false;
    i64 last_ran_ns = 0;
    bool is_marked = false;      ///< between probe::Note::begin and end
    i64 progress_ns = 0;         ///< when the workload last completed something
    std::vector<u64> operations; ///< that it has completed, in their order
    u64 borne = 0;               ///< errors that it was told of, a bit for each
    bool has_met_damage = false; ///< it has read what was not written

    /// Reading: into the run of a machine of the same configuration.
    void archive(StateArchive& state) {
        usize const processors = slots.size();
        state(slots);
        if (slots.size() != processors) {
            state.fail();
        }
        state(events);
        state(random);
        state(explored);
        state(saved);
        state(entropy);
        state(last_random);
        state(faults);
        state(is_cut);
        state(now_ns);
        state(counts);
        state(open_turn);
        state(last);
        state(last_spun);
        state(last_ran_ns);
        state(is_marked);
        state(progress_ns);
        state(operations);
        state(borne);
        state(has_met_damage);
    }
};

} // namespace hosted
