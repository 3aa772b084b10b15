// See watchers.hpp. What is called at every moment of a run is here, where it is optimised: of a
// function that headers define, a program takes any copy, also one of a source that is not.
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

void GrantKeeper::on_grant(hosted::Grant const& grant) {
    m_grants.push_back(grant);
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

void MomentKeeper::on_moment(hosted::SimMoment const& moment) {
    if (moment.number >= m_first && moment.number <= m_last) {
        m_moments.push_back(moment);
    }
}

} // namespace twofold::sim
