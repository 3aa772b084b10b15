// A run as a trace for Perfetto (https://ui.perfetto.dev): a track for each processor, with who
// runs there, and one for each thread, with where it runs and when it waits. An arrow leads from
// each wake-up, on the track of who made it, to where the woken thread begins to run.
#pragma once

#include "apps/perfetto/track_writer.hpp"
#include "apps/sched/sink.hpp"
#include "apps/sched/workload.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace twofold::lab {

/// The names of a workload's threads, as reports show them: with its instance where there are
/// several of one name.
std::vector<std::string> thread_names(Workload const& workload);

class PerfettoTrace : public Sink {
public:
    /// Writes to `out`, which must outlive it; who owns it looks whether that went well. Several
    /// runs may be written behind each other, each with a `number` of its own.
    PerfettoTrace(
        Workload const& workload, std::string const& title, u32 number, std::ostream& out);

    void take(Happening const& happening) override;
    void finish(Nanos end) override;

private:
    enum class Slice : u8 { none, waits, runs };
    struct Thread {
        Slice slice = Slice::none;
        u64 flow = 0; ///< of the wake-up that has not led to the processor yet
    };

    void end_slice(u32 thread, Nanos now);
    u64 thread_track(u32 thread) const;
    u64 cpu_track(u32 cpu) const;
    void run(Happening const& happening);

    std::vector<std::string> m_names;
    std::vector<Thread> m_threads;
    std::vector<u32> m_running;
    u64 m_base;  ///< of the numbers of tracks and arrows of this run
    u64 m_flows; ///< the number of the last arrow
    perfetto::TrackWriter m_out;
};

} // namespace twofold::lab
