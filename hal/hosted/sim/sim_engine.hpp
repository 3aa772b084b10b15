// The simulating engine: all processors of a machine run on the thread that calls Machine::run, one
// at a time, in virtual time. No host clock, signal, thread or address has a part in what happens:
// a configuration and a seed are a whole run.
//
// Each processor has a time of its own. The engine lets one run until a moment that a schedule
// chooses (schedule.hpp), or until it asks for something. What happens at a moment (a message
// arrives, a deadline comes) happens when no processor that is ready is before it. Where all sleep,
// time jumps to the next such moment.
//
// Invariant: between two turns every processor is switched out, and what the machine is lies in its
// memory, its board and one copyable value of this object: so it can be copied there.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/engine.hpp"
#include "hal/hosted/sim/costs.hpp"
#include "hal/hosted/sim/observer.hpp"
#include "hal/hosted/sim/sim_run.hpp"
#include "hal/hosted/sim/sim_wake.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hosted {

class Machine;

struct SimConfig {
    u64 seed = 0;
    CostTable costs = cost_tables().front();
    /// The schedule of what a workload marks; null: random by the seed, as all else.
    std::shared_ptr<Schedule const> explored = {};
    /// The schedule of the whole run; null: none was saved.
    std::shared_ptr<Schedule const> saved = {};
    FaultPlan faults = {};
    /// Faults happen in what a workload marks alone, and are counted there.
    bool faults_where_marked = false;
    /// A workload that completes no operation for so long is said to be stalled.
    i64 stall_ns = 60'000'000'000;
    /// Ends the run where a processor goes by a translation that it should have flushed, or takes
    /// no interrupt for very long.
    bool has_oracles = false;
};

/// How far a run may go before it pauses.
struct SimLimit {
    u64 moments = ~u64{0}; ///< it pauses between two turns, so a few may come behind this one
    /// Nothing begins then or later. Some processors may be past it, by a turn of 4 us and one
    /// operation at most; a longer turn is cut, and goes on as if it had not been. So what happens
    /// does not depend on pauses.
    i64 time_ns = EventQueue::never;
};

/// A processor that runs or sleeps, between two turns.
struct Standing {
    u32 id = 0;
    bool sleeps = false;
    bool interrupts_enabled = false;
    i64 now_ns = 0;       ///< its own time
    u64 kernel_stack = 0; ///< at which isa::SwitchFrame lies
    PhysAddr root{};      ///< of its page tables
};

class SimEngine final : public Engine {
public:
    /// The error is one line.
    static std::expected<std::unique_ptr<SimEngine>, std::string>
    create(Board& board, SimConfig config);
    SimEngine(SimEngine const&) = delete;
    SimEngine& operator=(SimEngine const&) = delete;

    void power_on() override;
    Stop run() override;
    void end_others() override {}
    void wait(int input_descriptor) override { m_wake.wait(input_descriptor); }
    void note_input() override {
        m_has_input = true;
        m_wake.wake();
    }
    bool can_wake() override;
    bool is_simulated() const override { return true; }
    void request_stop(siginfo_t const& info, ucontext_t& context) override;
    u64 time_ns() const override { return static_cast<u64>(m.now_ns); }
    std::string_view why_it_cannot_be_copied() const override { return {}; }
    std::shared_ptr<EngineState const> copy_state() const override;
    bool accepts(EngineState const& state) const override;
    void assign_state(EngineState const& state) override;
    std::string_view crash_report() const override { return m_crash_report; }

    void raise(Processor& target, hal::Vector vector) override;
    void fill_random(std::span<std::byte> bytes) override;
    void input_is_awaited() override {}
    void input_is_there() override { m_wake.wake(); }
    void device_is_noticed() override { m_wake.wake(); }
    void call_later(u32 device, u64 delay_ns, u64 tag) override;
    std::optional<u64> device_fault(DeviceFault fault_kind) override;

    /// Board::device_due is called at that moment, or as soon as it can where that is past. Between
    /// two runs, or while another machine runs.
    void call_at(u32 device, i64 at_ns, u64 tag);
    /// Time begins then, for a machine that has just been powered on.
    void begin_at(i64 now_ns);
    SimCounts const& counts() const { return m.counts; }
    FaultInjector const& faults() const { return m.faults; }
    /// A workload is between its begin and its end.
    bool is_marked() const { return m.is_marked; }
    /// The operations that a workload has completed, in their order.
    std::span<u64 const> operations() const { return m.operations; }
    /// Whether a workload was told of this error; whether it has read what was not written.
    bool has_borne(Error error) const { return (m.borne >> static_cast<u32>(error) & 1) != 0; }
    bool has_met_damage() const { return m.has_met_damage; }
    /// The machine answers `paused` where it comes to `limit`, until it has another.
    void limit(SimLimit limit) { m_limit = limit; }
    /// When the next thing can happen; EventQueue::never: nothing before there is input.
    i64 next_ns() const;
    /// Null: nobody. Must live until it is replaced.
    void observe(SimObserver* observer) { m_observer = observer; }
    /// Another run, from the next power-on on.
    void configure(SimConfig config);
    /// What an oracle has found; empty: nothing.
    std::string const& complaint() const { return m_complaint; }
    /// Why the schedule is not the one that was asked for; empty: it is.
    std::string_view objection() const;
    /// Where each processor stands that runs or sleeps: its time and its kernel's calls. Between
    /// two turns.
    std::string where_all_stand() const;
    std::vector<Standing> standings() const;
    /// Makes the stacks of all that stand somewhere readable by the host, as if they had been
    /// touched: for a debugger. Between two turns.
    void map_stacks();
    /// The schedule of what is marked, as it stands; null where it is random.
    Schedule const* explored() const { return m.explored.get(); }
    /// Another one, until the machine starts over.
    void explore(Schedule const& schedule) { m.explored = &schedule; }

private:
    using State = SimRun::State;

    /// What comes next, of all that is known.
    struct Overview {
        static constexpr u32 nobody = ~u32{0};

        u32 ready = nobody; ///< that is furthest behind, the first of several
        i64 ready_ns = EventQueue::never;
        u32 sleeper = nobody; ///< with the first deadline, the same
        i64 deadline_ns = EventQueue::never;
        i64 event_ns = EventQueue::never;

        i64 first_ns() const { return std::min({ready_ns, deadline_ns, event_ns}); }
    };

    SimEngine(Board& board, SimConfig config, std::unique_ptr<SignalStack> signal_stack);

    Processor& processor(u32 slot) const { return *m_board.processors()[slot]; }
    i64 wanted_ns(u32 slot) const { return m_cpus[slot]->deadline.wanted_ns; }
    bool is_cut() const;
    bool is_at_limit(Overview const& now) const;
    Overview look() const;
    bool is_to_stop() const;
    Schedule& schedule();
    bool has_one_time() { return m.is_marked && schedule().has_one_time(); }
    /// When a turn of `slot` would begin.
    i64 frontier_ns(u32 slot) {
        i64 const own_ns = m.slots[slot].now_ns;
        return has_one_time() ? std::max(own_ns, m.now_ns) : own_ns;
    }
    /// One more occasion for a fault: whether it happens, and then its amount. Most never can.
    std::optional<u64> fault(FaultId id, u32 slot) {
        return m.faults.can_fire(id) ? meet_fault(id, slot) : std::nullopt;
    }
    std::optional<u64> meet_fault(FaultId id, u32 slot);
    void arm_points();
    bool is_put_off(u32 slot);
    bool happen_before(i64 limit_ns, Overview const& now);
    void happen(SimEvent const& event);
    void set_pending(u32 slot, hal::Vector vector, i64 at_ns);
    void set_pending_later(u32 slot, hal::Vector vector, i64 at_ns);
    std::optional<Grant> choose(Overview now);
    bool stalls(u32 slot);
    void begin_turn(Grant const& grant);
    void take_turn(Processor& running);
    void end_turn(SimRun::OpenTurn const& turn);
    i64 end_of_turn(Grant const& grant) const;
    i64 end_of(SimRun::OpenTurn const& turn) const;
    std::string ask_oracles(u32 slot);
    void answer(u32 slot);
    void answer_note(u32 slot, GuestCpu const& cpu);
    void notify(u32 slot, GuestCpu const& cpu);
    void wake(u32 slot, i64 at_ns);
    void hear_input();
    Result<void> start_processor(u32 by);
    void halt(u32 slot);
    void end_run(u32 slot, Stop stop);
    Stop finish();
    void write_crash_report();
    void set_spins_give_way();
    void mark(u32 slot, bool is_marked);
    void note_moment(SimMoment::Kind kind, u32 slot, u64 value, i64 at_ns, i64 since_ns);

    Board& m_board;
    SimConfig m_config;
    std::unique_ptr<SignalStack> m_signal_stack;
    SimRun m;
    std::vector<GuestCpu*> m_cpus;  ///< by slot
    std::vector<Candidate> m_ready; ///< of the turn that is chosen
    i64 m_others_ns = 0;            ///< the same: something else happens then
    SimLimit m_limit;
    SimWake m_wake;
    std::atomic<bool> m_has_input = false; ///< noted by another thread, not heard yet
    bool m_is_paused = false;              ///< and no input has come meanwhile
    SimObserver* m_observer = nullptr;
    Processor* m_running = nullptr;
    std::optional<RunEnd> m_end;
    std::string m_crash_report;
    std::string m_complaint;
};

/// A machine that is simulated. `console` must outlive it; where the configuration has no entropy
/// of its own, the seed is its source. `made` is set to its engine, which it keeps. The error is
/// one line that says what is wrong and what to do.
std::expected<std::unique_ptr<Machine>, std::string> create_simulated(
    MachineConfig config,
    ConsoleEndpoint& console,
    SimConfig const& sim,
    SimEngine** made = nullptr);

} // namespace hosted
