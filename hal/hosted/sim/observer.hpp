// What a simulation tells whoever watches it: recorders, traces, searches for the first difference.
// An observer changes nothing.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/sim/schedule.hpp"

namespace hosted {

/// Something that has happened, and is part of the run's hash.
struct SimMoment {
    enum class Kind : u8 {
        turn,      ///< a processor has run; `value` is the Request with which it came back
        interrupt, ///< `value` is the vector that was raised on it
        device,    ///< a moment that device `slot` has waited for; `value` is its tag
        fault,     ///< `value` is its FaultId
        operation, ///< of a workload, which has completed it; `value` is its number
    };

    u64 number = 0; ///< from 1
    i64 at_ns = 0;
    i64 since_ns = 0; ///< of a turn: when it began
    Kind kind{};
    u32 slot = 0;
    u64 value = 0;
    u64 hash = 0; ///< of the run so far
};

class SimObserver {
public:
    virtual ~SimObserver() = default;
    virtual void on_moment(SimMoment const& moment) = 0;
    /// A turn is given. Before the moment that ends it.
    virtual void on_grant(Grant const& grant) = 0;
};

} // namespace hosted
