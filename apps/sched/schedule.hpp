// A schedule that was recorded: by a run in this process, or by a kernel on a machine. It can be
// shown to sinks again, and compared with another one to the first happening that differs.
#pragma once

#include "apps/sched/happening_bytes.hpp"
#include "apps/sched/run.hpp"

#include <optional>
#include <string>
#include <vector>

namespace twofold::lab {

struct Schedule {
    std::vector<std::byte> happenings; ///< happening_bytes.hpp
    u64 count = 0;                     ///< of happenings
    Nanos end{};
    std::vector<Nanos> overheads;   ///< what switches have cost on each processor
    std::optional<Refusal> refusal; ///< then nothing has run

    /// A short word for all happenings.
    u32 checksum() const { return crc32(happenings); }
};

/// Counts what happens, and keeps its checksum alone.
class ScheduleDigest : public Sink {
public:
    void take(Happening const& happening) override {
        m_checksum.update(m_writer.write(happening));
        ++m_count;
    }
    void finish(Nanos) override {}

    u64 count() const { return m_count; }
    u32 checksum() const { return m_checksum.value(); }

private:
    HappeningWriter m_writer;
    Crc32 m_checksum;
    u64 m_count = 0;
};

/// Runs a workload in this process and keeps what happened. O(events log threads).
Schedule record_schedule(Workload const& workload, RunOptions const& options);

/// Shows a schedule to `sinks`, as the run that it is of would have. It is one of `workload` that
/// compare_schedules found equal to one of this process. O(happenings).
RunOutcome replay_schedule(Workload const& workload, Schedule const& schedule, Sinks sinks);

/// Nothing if both are the same; else the first thing in which `other` differs from `one`, in
/// words. What is in `other` may be anything. O(happenings).
std::optional<std::string>
compare_schedules(Workload const& workload, Schedule const& one, Schedule const& other);

} // namespace twofold::lab
