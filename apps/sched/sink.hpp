// Who looks on while a workload runs, on the host.
#pragma once

#include "apps/sched/events.hpp"

#include <vector>

namespace twofold::lab {

class Sink {
public:
    Sink() = default;
    Sink(Sink const&) = delete;
    Sink& operator=(Sink const&) = delete;
    virtual ~Sink() = default;

    /// Everything that happens, in its order.
    virtual void take(Happening const& happening) = 0;
    /// The run is over at `end`.
    virtual void finish(Nanos end) = 0;
};

/// The engine's observer: tells several sinks.
struct Sinks {
    std::vector<Sink*> all;

    void take(Happening const& happening) const {
        for (Sink* const sink : all) {
            sink->take(happening);
        }
    }
    void finish(Nanos end) const {
        for (Sink* const sink : all) {
            sink->finish(end);
        }
    }
};

} // namespace twofold::lab
