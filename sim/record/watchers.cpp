// See watchers.hpp. What is called at every moment of a run is here, where it is optimised.
#include "sim/record/watchers.hpp"

namespace twofold::sim {

void Watchers::on_moment(hosted::SimMoment const& moment) {
    for (hosted::SimObserver* const watcher : m_watchers) {
        watcher->on_moment(moment);
    }
}

void Watchers::on_grant(hosted::Grant const& grant) {
    for (hosted::SimObserver* const watcher : m_watchers) {
        watcher->on_grant(grant);
    }
}

void HashRecorder::on_moment(hosted::SimMoment const& moment) {
    if (moment.number % recording_distance == 0) {
        m_writer.add_hash(moment.hash);
    }
}

void HashChecker::on_moment(hosted::SimMoment const& moment) {
    u64 const number = moment.number / recording_distance;
    if (moment.number % recording_distance == 0 && m_differs_at == 0 &&
        (number >= m_recording.hashes().size() || m_recording.hashes()[number] != moment.hash)) {
        m_differs_at = moment.number;
    }
}

} // namespace twofold::sim
