// What a run was like, in numbers: a sink that counts.
#pragma once

#include "apps/sched/fluid.hpp"
#include "apps/sched/sink.hpp"
#include "apps/sched/workload.hpp"

#include <optional>
#include <vector>

namespace twofold::lab {

/// Of one thread.
struct ThreadFigures {
    std::vector<i64> wake_latencies; ///< from each wake-up to the processor, in ns
    std::vector<i64> responses;      ///< of each job, in ns
    u64 wakes = 0;
    u64 switches = 0; ///< to it
    u64 preemptions = 0;
    u64 migrations = 0;
    u64 late = 0;
    u64 refused = 0;
    Nanos ran{};
    Nanos waited{};   ///< for a processor
    double ideal = 0; ///< what the fluid schedule would have given it
    double fair = 0;  ///< what it received of it, in the same time
    double lag_max = 0;
    double lag_min = 0; ///< below zero: it was ahead
};

struct CpuFigures {
    Nanos busy{};     ///< with threads, what switches cost included
    Nanos overhead{}; ///< of switches
    u64 switches = 0; ///< to threads
};

/// Of a whole run.
struct RunFigures {
    Nanos duration{};
    std::vector<ThreadFigures> threads;
    std::vector<CpuFigures> cpus;
    u32 stuck = nobody;   ///< the thread that went round in no time
    i64 violation = 0;    ///< a sched::Violation, of the first wrong answer
    double energy_mj = 0; ///< millijoules; 0: not modelled
    bool has_energy = false;
};

class Statistics : public Sink {
public:
    explicit Statistics(Workload const& workload);

    void take(Happening const& happening) override;
    void finish(Nanos end) override;
    void set_overhead(u32 cpu, Nanos overhead) { m_figures.cpus[cpu].overhead = overhead; }

    RunFigures const& figures() const { return m_figures; }

private:
    enum class State : u8 { asleep, woken, waiting, running };
    struct Thread {
        State state = State::asleep;
        Nanos since{};
        u32 cpu = nobody;
        bool is_fair = false; ///< counts in the fluid schedule
        Nanos received{};     ///< since it woke
    };

    void run(Happening const& happening);
    void wake(Happening const& happening);
    /// It runs no more; it is asleep then, or waits.
    void stop(u32 number, State next, Nanos now);
    void note_lag(u32 number, Nanos now);
    void leave_fluid(u32 number, Nanos now);
    void share_cpus(Nanos now);

    Workload m_workload;
    RunFigures m_figures;
    FluidSchedule m_fluid;
    std::vector<Thread> m_threads;
    std::vector<u32> m_running; ///< on each processor
};

/// What the processors have used, from how long they were busy in the run's duration.
void add_energy(RunFigures& figures, Workload const& workload);

/// The value that `permille` thousandths of `values` do not exceed (nearest rank); they are put in
/// order. 0 if there are none.
i64 percentile(std::vector<i64>& values, u32 permille);

/// Jain's index of fairness: 1 if all are equal, 1/n if one has everything. 1 if there are none.
/// Source: R. Jain, D. Chiu and W. Hawe, DEC-TR-301, 1984.
double jain_index(std::vector<double> const& values);

/// Jain's index of what each thread received of what the fluid schedule would have given it, 1 at
/// most: who does not want more lacks nothing. Nothing if no thread counts in that.
std::optional<double> fairness(RunFigures const& figures);

} // namespace twofold::lab
