// To an event of a recorded run by a copy of the machine: the same as from the begin.
#include "sim/simulator/travel.hpp"

#include "apps/launch/status.hpp"
#include "sim/record/watchers.hpp"
#include "sim/trace/trace.hpp"
#include "tests/sim/run/cases.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace {

using namespace twofold;
using namespace twofold::sim;

/// Moments between two copies.
constexpr u64 distance = 700;

class RecordedFile {
public:
    RecordedFile()
        : m_path(
              std::filesystem::temp_directory_path() /
              ("twofold-travel-" + std::to_string(getpid()))) {}
    RecordedFile(RecordedFile const&) = delete;
    RecordedFile& operator=(RecordedFile const&) = delete;
    ~RecordedFile() { std::filesystem::remove(m_path); }

    std::filesystem::path const& path() const { return m_path; }
    Recording read() const { return Recording::read(m_path, own_catalogue().build); }

private:
    std::filesystem::path m_path;
};

/// Records a case, with copies of the machine on the way.
Outcome record(Case const& made, std::filesystem::path const& path) {
    RecordingWriter writer(path, own_catalogue().build, to_json(made, own_catalogue()));
    HashRecorder recorder(writer);
    CaseRun run(made);
    run.engine().observe(&recorder);
    for (u64 at = distance; !run_until(run, at); at += distance) {
        writer.add_copy(run.engine().counts().moments, copy_bytes(run));
    }
    Outcome const outcome = run.outcome();
    writer.finish({outcome.events, outcome.hash, static_cast<i64>(outcome.virtual_ns), "passed"});
    return outcome;
}

/// Where a run has come to, in all that can be seen of it.
struct Place {
    u64 moments = 0;
    u64 hash = 0;
    u64 time_ns = 0;
    std::string standings;
    std::string output;

    explicit Place(CaseRun& run)
        : moments(run.engine().counts().moments),
          hash(run.engine().counts().hash),
          time_ns(run.engine().time_ns()),
          standings(run.engine().where_all_stand()),
          output(run.simulation().output()) {}
    bool operator==(Place const&) const = default;
};

/// Goes to an event, by a copy or from the begin, and then on to the end, which is the recorded
/// one.
Place travelled(Recording const& recording, u64 event, bool by_copy) {
    CaseRun run = recorded_run(recording);
    if (by_copy) {
        u64 const from = jump_before(run, recording, event);
        EXPECT_EQ(from > 0, event > distance);
        EXPECT_LE(from, event);
    }
    HashChecker checker(recording);
    run.engine().observe(&checker);
    EXPECT_FALSE(run_until(run, event));
    Place const place(run);
    run.engine().map_stacks(); // for a debugger: changes nothing
    EXPECT_TRUE(run_until(run, moments_max));
    Outcome const outcome = run.outcome();
    EXPECT_FALSE(outcome.failure.has_value());
    EXPECT_EQ(outcome.hash, recording.end()->hash);
    EXPECT_EQ(outcome.events, recording.end()->moments);
    EXPECT_EQ(outcome.virtual_ns, static_cast<u64>(recording.end()->time_ns));
    EXPECT_EQ(checker.differs_at(), 0u);
    return place;
}

void expect_same_travel(std::string const& members) {
    SCOPED_TRACE(members);
    RecordedFile const file;
    Outcome const whole = record(case_of(members), file.path());
    ASSERT_FALSE(whole.failure.has_value()) << whole.failure->text << whole.failure->report;
    ASSERT_GT(whole.events, 2 * distance);
    Recording const recording = file.read();
    ASSERT_GE(recording.copies(), 2u);
    for (u64 const event :
         {u64{1}, distance - 1, distance + 3, 2 * distance + 1, whole.events - 1}) {
        // One machine at a time.
        EXPECT_EQ(travelled(recording, event, false), travelled(recording, event, true)) << event;
    }
}

TEST(Travel, ByACopyIsAsFromTheBegin) {
    expect_same_travel(R"("workload":"heap","seed":3,"operations":160)");
    expect_same_travel(R"("workload":"calls","seed":5)");
}

TEST(Travel, OnOneAndOnManyProcessors) {
    expect_same_travel(R"("workload":"waits","seed":2,"cpus":1,"operations":1500)");
    expect_same_travel(R"("workload":"locks","seed":2,"cpus":8,"threads":8)");
}

TEST(Travel, WithFaultsAndSchedules) {
    expect_same_travel(
        R"("workload":"heap","seed":4,"faults":["interrupt.late:probability=0.2",)"
        R"("points.frames.allocate:probability=0.05","cpu.stalled:probability=0.01"])");
    expect_same_travel(R"("workload":"locks","seed":6,"operations":400,"schedule":"pct:3")");
}

TEST(Travel, MomentsAreSaidByName) {
    CaseRun run(case_of(R"("workload":"heap","seed":3)"));
    MomentKeeper keeper(2, 40);
    run.engine().observe(&keeper);
    EXPECT_FALSE(run_until(run, 60));
    ASSERT_EQ(keeper.moments().size(), 39u);
    EXPECT_EQ(keeper.moments().front().number, 2u);
    for (hosted::SimMoment const& moment : keeper.moments()) {
        EXPECT_EQ(
            moment_text(moment),
            "event " + std::to_string(moment.number) + " at " + std::to_string(moment.at_ns) +
                " ns: " +
                (moment.kind == hosted::SimMoment::Kind::device ? "device " : "processor ") +
                std::to_string(moment.slot) + ": " + moment_name(moment.kind, moment.value));
    }
}

/// Why a recording whose one copy is `bytes` cannot be travelled in.
std::string refusal(std::vector<std::byte> const& bytes) {
    RecordedFile const file;
    Case const made = case_of(R"("workload":"heap","seed":3)");
    {
        RecordingWriter writer(file.path(), own_catalogue().build, to_json(made, own_catalogue()));
        writer.add_copy(5, bytes);
        writer.finish({10, 1, 1, "passed"});
    }
    CaseRun run(made);
    try {
        jump_before(run, file.read(), 7);
    } catch (launch::Failure const& failure) {
        return failure.what();
    }
    return {};
}

TEST(Travel, ACopyThatIsNoneIsRefused) {
    std::vector<std::byte> whole;
    {
        CaseRun run(case_of(R"("workload":"heap","seed":3)"));
        EXPECT_FALSE(run_until(run, 5));
        whole = copy_bytes(run);
    }
    EXPECT_EQ(refusal(whole), "");
    std::string const why = "the recording is damaged: a copy of the machine is not one of its "
                            "machine";
    EXPECT_EQ(refusal(std::vector<std::byte>(100)), why);
    EXPECT_EQ(refusal({}), why);
    for (usize const size : {usize{1}, usize{100}, whole.size() / 2, whole.size() - 1}) {
        EXPECT_EQ(refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}), why)
            << size;
    }
}

} // namespace
