// The simulating engine: all processors of a machine run on the thread that calls Machine::run, one
// at a time, in virtual time. No host clock, signal, thread or address has a part in what happens:
// a configuration and a seed are a whole run.
//
// Each processor has a time of its own. The engine lets one run until a moment that it chooses, or
// until it asks for something; of those that are ready it takes one that is at most `lead` ahead
// of the one that is furthest behind, by the seed. What happens at a moment (a message arrives, a
// deadline comes) happens when no processor that is ready is before it. Where all sleep, time jumps
// to the next such moment.
//
// Invariant: between two steps every processor is switched out, and what the machine is lies in its
// memory, its board and this object.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/engine.hpp"
#include "hal/hosted/sim/costs.hpp"
#include "hal/hosted/sim/faults.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hosted {

class Machine;

struct SimConfig {
    u64 seed = 0;
    CostTable costs = cost_tables().front();
    FaultPlan faults = {};
};

/// What a simulation has done so far.
struct SimCounts {
    u64 turns = 0;      ///< times that a processor was let run
    u64 interrupts = 0; ///< raised
    u64 hash = 0; ///< of who ran when and what was asked: equal for two runs that are the same
};

class SimEngine final : public Engine {
public:
    /// The error is one line.
    static std::expected<std::unique_ptr<SimEngine>, std::string>
    create(Board& board, SimConfig config);

    void power_on() override;
    Stop run() override;
    void end_others() override {}
    void wait(int input_descriptor) override;
    void note_input() override;
    bool can_wake() override;
    void request_stop(siginfo_t const& info, ucontext_t& context) override;
    u64 time_ns() const override { return static_cast<u64>(m_now_ns); }
    void set_time(u64 now_ns) override;
    std::string_view why_it_cannot_be_copied() const override;
    void forget_end() override;
    std::string_view crash_report() const override { return m_crash_report; }

    void raise(Processor& target, hal::Vector vector) override;
    void fill_random(std::span<std::byte> bytes) override;
    void input_is_awaited() override {}
    void call_later(u32 device, u64 delay_ns, u64 tag) override;
    std::optional<u64> device_fault(DeviceFault fault) override;

    /// Board::device_due is called at that moment, or as soon as it can where that is past. Between
    /// two runs, or while another machine runs.
    void call_at(u32 device, i64 at_ns, u64 tag);
    static constexpr i64 never_ns = INT64_MAX;
    /// `run` answers `paused` when all processors have reached that moment; some are past it then,
    /// by a turn and one operation at most. What happens in a run does not depend on its pauses.
    void pause_at(i64 moment_ns) { m_pause_ns = moment_ns; }
    /// Nothing happens before, unless something comes from outside; never_ns: nothing at all.
    /// Between two runs. O(processors).
    i64 next_ns();

    SimCounts const& counts() const { return m_counts; }
    FaultInjector const& faults() const { return m_faults; }

private:
    enum class State : u8 { off, ready, sleeping, halted };

    struct Slot {
        Processor* processor = nullptr;
        State state = State::off;
        i64 now_ns = 0;

        i64 wanted_ns() const { return processor->cpu().deadline.wanted_ns; }
    };
    /// Something that happens to a processor.
    struct Event {
        i64 at_ns = 0;
        u64 number = 0; ///< in the order in which they came
        u32 slot = 0;
        std::optional<hal::Vector> vector; ///< none: it has only to look
        std::optional<u32> device{};       ///< it happens to that one instead, by its `tag`
        u64 tag = 0;
    };

    static bool is_later(Event const& a, Event const& b) {
        return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.number > b.number;
    }

    SimEngine(Board& board, SimConfig config, std::unique_ptr<SignalStack> signal_stack);

    Slot& slot_of(Processor const& processor) { return m_slots[processor.slot()]; }
    Slot* first_ready();
    Slot* first_deadline();
    bool happen_before(i64 limit_ns);
    Slot* choose();
    void turn(Slot& slot);
    void answer(Slot& slot);
    void wake(Slot& slot, i64 at_ns);
    void fall_asleep(Slot& slot);
    Result<void> start_processor(Slot& by);
    void halt(Slot& slot);
    void end_run(Slot const& slot, Stop stop);
    Stop finish();
    void write_crash_report();
    void post(u32 slot, i64 at_ns, std::optional<hal::Vector> vector);
    void post(Event const& event);
    void mix(u64 word);

    Board& m_board;
    SimConfig m_config;
    std::unique_ptr<SignalStack> m_signal_stack;
    std::vector<Slot> m_slots;
    std::vector<Event> m_events; ///< a heap, the first to happen in front
    u64 m_next_event = 0;
    Random m_random;  ///< who runs next, and for how long
    Random m_entropy; ///< what the kernel gets
    FaultInjector m_faults;
    i64 m_pause_ns = never_ns;
    bool m_is_paused = false; ///< the last run has ended so, and the next one only goes on
    i64 m_now_ns = 0;         ///< of what runs or has just happened
    SimCounts m_counts;
    Slot* m_running = nullptr;
    std::optional<RunEnd> m_end;
    std::string m_crash_report;
};

/// A machine that is simulated. `console` must outlive it; where the configuration has no entropy
/// of its own, the seed is its source. `made` is set to its engine, which it keeps. The error is
/// one line that says what is wrong and what to do.
std::expected<std::unique_ptr<Machine>, std::string> create_simulated(
    MachineConfig config,
    ConsoleEndpoint& console,
    SimConfig const& sim,
    SimEngine const** made = nullptr);

} // namespace hosted
