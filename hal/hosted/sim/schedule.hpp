// Who runs next on a simulated machine, and for how long: the part of the engine that explores. The
// engine asks at every turn; a schedule may depend on what it is told and on its own state alone.
//
// Outside of what a workload marks to be explored (probe::Note) the engine's own random schedule is
// asked, whatever else was chosen.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/state_archive.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hosted {

using namespace twofold;

/// A processor that can run.
struct Candidate {
    u32 slot = 0;
    i64 now_ns = 0; ///< its own time
};

struct ScheduleView {
    std::span<Candidate const> ready; ///< at least one, in the order of their slots
    std::optional<u32> last;          ///< who had the turn before this one, ready or not
    bool last_spun = false;           ///< that one waits for another, and can do nothing else
    i64 last_ran_ns = 0;              ///< how long its turn was

    Candidate const* find(u32 slot) const {
        auto const found = std::ranges::find(ready, slot, &Candidate::slot);
        return found == ready.end() ? nullptr : &*found;
    }
};

/// A turn: `slot` runs until it has used `stretch_ns`, or asks for something, or something happens.
/// 0: up to its next point.
struct Grant {
    u32 slot = 0;
    i64 stretch_ns = 0;

    bool operator==(Grant const&) const = default;
};

class Schedule {
public:
    Schedule() = default;
    Schedule(Schedule const&) = default;
    Schedule& operator=(Schedule const&) = default;
    virtual ~Schedule() = default;

    /// Whether all processors share one time: whoever gets a turn goes on at the moment at which
    /// the one before ended, as if one processor played them all. Otherwise each has its own, and
    /// none is far ahead.
    virtual bool has_one_time() const = 0;
    virtual Grant choose(ScheduleView const& view) = 0;
    /// Why the run is not the one that was asked for, in words; empty: it is.
    virtual std::string_view objection() const { return {}; }
    virtual std::unique_ptr<Schedule> copy() const = 0;
    /// What has changed since it was made. Reading: into one that was made alike.
    virtual void archive(StateArchive& state) = 0;
};

/// One of those that are at most 2 us ahead of the one that is furthest behind, for up to 4 us,
/// short turns as likely as long ones: two processors may meet at any two of their points.
class RandomSchedule final : public Schedule {
public:
    explicit RandomSchedule(u64 seed) : m_random(seed) {}

    bool has_one_time() const override { return false; }
    Grant choose(ScheduleView const& view) override;
    std::unique_ptr<Schedule> copy() const override {
        return std::make_unique<RandomSchedule>(*this);
    }
    void archive(StateArchive& state) override { state(m_random); }

private:
    bool one_in(u32 count);

    Random m_random;
};

/// Priorities, of which `depth` - 1 fall at random moments: the ready processor of the highest one
/// runs alone. A fault that needs `depth` orderings to show is hit by a run with a probability of
/// at least 1 / (n k^(depth - 1)), n processors and k nanoseconds of work that are explored.
///
/// A processor that spins falls behind all others, or none would ever let it go on.
///
/// Source: S. Burckhardt, P. Kothari, M. Musuvathi and S. Nagarakatte, "A Randomized Scheduler with
/// Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
class PriorityChangeSchedule final : public Schedule {
public:
    /// `work_ns` is k: what is explored is expected to be so long.
    PriorityChangeSchedule(u64 seed, u32 depth, u64 work_ns);

    bool has_one_time() const override { return true; }
    Grant choose(ScheduleView const& view) override;
    std::unique_ptr<Schedule> copy() const override {
        return std::make_unique<PriorityChangeSchedule>(*this);
    }
    void archive(StateArchive& state) override;

private:
    i64 priority_of(u32 slot);

    u32 m_depth;
    u64 m_work_ns;
    Random m_random;
    std::vector<u64> m_changes; ///< moments of work at which a priority falls, ascending
    usize m_next_change = 0;
    u64 m_worked_ns = 0;
    std::vector<std::optional<i64>> m_priorities; ///< by slot
    i64 m_lowest = 0;                             ///< all that fall go below it
};

/// One run of a search through all schedules with at most so many preemptions. Each run follows a
/// path of choices and takes the first alternative from there on; `next_path` says what the run
/// after it has to follow. A choice is made at every point of the kernel at which two processors
/// could run: to go on, or to let another one run, which costs a preemption unless who ran sleeps
/// or spins.
///
/// Source: M. Musuvathi and S. Qadeer, "Iterative Context Bounding for Systematic Testing of
/// Multithreaded Programs", PLDI 2007.
class BoundedSchedule final : public Schedule {
public:
    /// At a choice: which of how many alternatives was taken.
    struct Choice {
        u16 taken = 0;
        u16 of = 1;
    };
    using Path = std::vector<Choice>;

    BoundedSchedule(u32 preemptions, Path path)
        : m_preemptions(preemptions), m_path(std::move(path)) {}

    bool has_one_time() const override { return true; }
    Grant choose(ScheduleView const& view) override;
    std::unique_ptr<Schedule> copy() const override {
        return std::make_unique<BoundedSchedule>(*this);
    }
    void archive(StateArchive& state) override;

    /// The path behind `path` in the order of the search; none: it was the last.
    static std::optional<Path> next_path(Path path);
    /// What this run has taken.
    Path const& path() const { return m_path; }

private:
    u32 m_preemptions;
    Path m_path;
    usize m_at = 0;
    u32 m_used = 0;
};

/// A schedule that was saved: the same turns again. What does not fit is an objection.
class SavedSchedule final : public Schedule {
public:
    /// `has_one_time` as the one that was saved had it.
    SavedSchedule(std::shared_ptr<std::vector<Grant> const> grants, bool has_one_time)
        : m_grants(std::move(grants)), m_has_one_time(has_one_time) {}

    bool has_one_time() const override { return m_has_one_time; }
    Grant choose(ScheduleView const& view) override;
    std::string_view objection() const override { return m_objection; }
    std::unique_ptr<Schedule> copy() const override {
        return std::make_unique<SavedSchedule>(*this);
    }
    void archive(StateArchive& state) override;

private:
    std::shared_ptr<std::vector<Grant> const> m_grants;
    bool m_has_one_time;
    usize m_at = 0;
    std::string m_objection;
};

} // namespace hosted
