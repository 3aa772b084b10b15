// A job that was spawned: its frame is its executor's and its handle's, and goes with the last of
// them.
#pragma once

#include "core/async/job.hpp"

namespace twofold::async {

class SpawnedJob : public Job {
public:
    // ---- the executor ----

    /// It has run to its end: tells who joins. With that the frame may be gone.
    void end() {
        if (m_owners.load(relaxed) == let_go) { // nobody else knows of it any more
            frame().destroy();
            return;
        }
        u32 const before = m_owners.fetch_or(ended, acquire_release);
        if ((before & joined_by_one) != 0) {
            m_joiner->grant();
        } else if ((before & let_go) != 0) {
            frame().destroy();
        }
    }

    // ---- the handle ----

    /// `wait` is granted once it has ended; true where it has already, and it will not be.
    bool wait_for_end(Wait& wait) {
        m_joiner = &wait;
        return (m_owners.fetch_or(joined_by_one, acquire_release) & ended) != 0;
    }
    /// Nobody waits any longer. False: it has ended, and who waited is granted.
    bool withdraw() { return (m_owners.fetch_and(~joined_by_one, acquire_release) & ended) == 0; }
    bool has_ended() const { return (m_owners.load(acquire) & ended) != 0; }
    /// There is no handle. Before it is queued.
    void begin_without_handle() { m_owners.store(let_go, relaxed); }
    /// The handle goes.
    void let_go_of() {
        if ((m_owners.fetch_or(let_go, acquire_release) & ended) != 0) {
            frame().destroy();
        }
    }

private:
    static constexpr u32 ended = 1;
    static constexpr u32 let_go = 2;
    static constexpr u32 joined_by_one = 4;

    Wait* m_joiner = nullptr;
    Atomic<u32> m_owners{0};
};

} // namespace twofold::async
