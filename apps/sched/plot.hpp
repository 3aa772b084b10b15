// A run as a picture (SVG): who runs on each processor over time, and below how the wake-up
// latencies are distributed, a curve for each policy that is compared.
#pragma once

#include "apps/sched/sink.hpp"
#include "apps/sched/workload.hpp"

#include <string>
#include <vector>

namespace twofold::lab {

/// Keeps what the picture needs of one run.
class PlotData : public Sink {
public:
    /// Times after `window` are left out of the timeline.
    PlotData(Workload const& workload, Nanos window);

    void take(Happening const& happening) override;
    void finish(Nanos end) override;

    struct Piece {
        u32 thread;
        Nanos from;
        Nanos to;
    };

    std::vector<std::vector<Piece>> const& pieces() const { return m_pieces; }
    Nanos window() const { return m_window; }

private:
    struct Running {
        u32 thread = nobody;
        Nanos since{};
    };

    void end_piece(u32 cpu, Nanos now);

    Nanos m_window;
    std::vector<std::vector<Piece>> m_pieces; ///< of each processor
    std::vector<Running> m_running;
};

/// One run of the picture.
struct PlottedRun {
    std::string policy;
    PlotData const* data;
    std::vector<i64> wake_latencies; ///< in order
};

/// The picture. `names` are the threads'.
std::string draw_plot(
    std::string const& title,
    std::vector<std::string> const& names,
    std::vector<PlottedRun> const& runs);

} // namespace twofold::lab
