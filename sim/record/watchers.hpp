// Who watches a run, together: an engine has one observer.
#pragma once

#include "hal/hosted/sim/observer.hpp"
#include "sim/record/recording.hpp"

#include <vector>

namespace twofold::sim {

class Watchers final : public hosted::SimObserver {
public:
    void add(hosted::SimObserver& watcher) { m_watchers.push_back(&watcher); }
    /// Null where nobody watches, and one alone by itself: what an engine is told then.
    hosted::SimObserver* get() {
        return m_watchers.size() > 1 ? this : m_watchers.empty() ? nullptr : m_watchers.front();
    }

    void on_moment(hosted::SimMoment const& moment) override;
    void on_grant(hosted::Grant const& grant) override;

private:
    std::vector<hosted::SimObserver*> m_watchers;
};

/// Keeps the turns that were given.
class GrantKeeper final : public hosted::SimObserver {
public:
    void on_moment(hosted::SimMoment const&) override {}
    void on_grant(hosted::Grant const& grant) override;

    std::vector<hosted::Grant> const& grants() const { return m_grants; }

private:
    std::vector<hosted::Grant> m_grants;
};

/// Hands the hash at every recording_distance moments to a recording.
class HashRecorder final : public hosted::SimObserver {
public:
    explicit HashRecorder(RecordingWriter& writer) : m_writer(writer) {}

    void on_moment(hosted::SimMoment const& moment) override;
    void on_grant(hosted::Grant const&) override {}

private:
    RecordingWriter& m_writer;
};

/// Compares the hashes with those of a recording.
class HashChecker final : public hosted::SimObserver {
public:
    explicit HashChecker(Recording const& recording) : m_recording(recording) {}

    void on_moment(hosted::SimMoment const& moment) override;
    void on_grant(hosted::Grant const&) override {}

    /// The first moment at which they are known to differ; 0: they do not.
    u64 differs_at() const { return m_differs_at; }

private:
    Recording const& m_recording;
    u64 m_differs_at = 0;
};

/// Keeps the moments from one number to another.
class MomentKeeper final : public hosted::SimObserver {
public:
    MomentKeeper(u64 first, u64 last) : m_first(first), m_last(last) {}

    void on_moment(hosted::SimMoment const& moment) override;
    void on_grant(hosted::Grant const&) override {}

    std::vector<hosted::SimMoment> const& moments() const { return m_moments; }

private:
    u64 m_first;
    u64 m_last;
    std::vector<hosted::SimMoment> m_moments;
};

} // namespace twofold::sim
