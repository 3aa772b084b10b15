// The recorder in a real process: exact events, threads, fork, exec, and every way to end.
#include "apps/allocation/schedule.hpp"
#include "tests/apps/allocation/traces.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace twofold::allocation::testing {

namespace {

namespace fs = std::filesystem;
using enum EventKind;

constexpr u64 begin_marker = 424241;
constexpr u64 end_marker = 424242;

} // namespace

/// A folder of the test's own, and the recorder run on the subject in it.
class Recording : public ::testing::Test {
public:
    Recording() {
        std::string name = (fs::temp_directory_path() / "twofold-record-XXXXXX").string();
        m_folder = mkdtemp(name.data());
    }
    ~Recording() override { fs::remove_all(m_folder); }

protected:
    fs::path trace() const { return m_folder / "trace"; }

    /// Runs the subject under the recorder; its status as wait gives it.
    int record(std::string const& mode, std::vector<std::string> const& options = {}) {
        std::vector<std::string> words = {RECORD, "-o", trace().string()};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"--", SUBJECT, mode});
        std::vector<char*> arguments;
        for (std::string& word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        pid_t const child = fork();
        if (child == 0) {
            execv(arguments[0], arguments.data());
            _exit(126);
        }
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        return status;
    }

    static Bytes read(fs::path const& path) {
        std::ifstream stream(path, std::ios::binary);
        std::string const text{std::istreambuf_iterator<char>(stream), {}};
        auto const bytes = std::as_bytes(std::span(text));
        return {bytes.begin(), bytes.end()};
    }

    /// The events of a sound trace: decoded, and checked for objects used after their release.
    static Decoded decode_sound(fs::path const& path) {
        Bytes const file = read(path);
        TraceProblem problem;
        EXPECT_TRUE(make_schedule(file, Places::recycled, problem).has_value())
            << path << ' ' << problem.what;
        return decode(file);
    }

    /// Files beside the trace: those of descendants.
    std::vector<fs::path> others() const {
        std::vector<fs::path> found;
        for (auto const& entry : fs::directory_iterator(m_folder)) {
            if (entry.path() != trace()) {
                found.push_back(entry.path());
            }
        }
        return found;
    }

    /// How often a size was asked for.
    static i64 count_size(Decoded const& decoded, u64 size) {
        return std::ranges::count_if(decoded.events, [&](Event const& event) {
            return event.kind != release && event.size == size;
        });
    }

private:
    fs::path m_folder;
};

namespace {

/// What lies between the markers, with objects counted from the first of them.
std::vector<Event> marked(std::vector<Event> const& events) {
    auto const with_size = [](u64 size) {
        return [size](Event const& event) { return event.kind != release && event.size == size; };
    };
    auto const begin = std::ranges::find_if(events, with_size(begin_marker));
    auto const end = std::ranges::find_if(events, with_size(end_marker));
    if (begin == events.end() || end == events.end()) {
        return {};
    }
    std::vector<Event> part(begin + 2, end);
    for (Event& event : part) {
        event.object -= begin->object + 1;
    }
    return part;
}

std::vector<Event> const exact_events = {
    {allocate, 0, 0, 0, 100},
    {allocate_zeroed, 0, 0, 1, 77},
    {allocate_aligned, 8, 0, 2, 512},
    {allocate_aligned, 6, 0, 3, 200},
    {allocate_aligned, 12, 0, 4, 10},
    {allocate_aligned, 5, 0, 5, 48},
    {resize, 0, 0, 0, 5000},
    {allocate, 0, 0, 6, 33},
    {resize, 0, 0, 1, 200},
    {allocate, 0, 0, 7, 5},
    {allocate, 0, 0, 8, 100},
    {release, 0, 0, 0, 0},
    {release, 0, 0, 6, 0},
    {release, 0, 0, 1, 0},
    {release, 0, 0, 3, 0},
    {release, 0, 0, 2, 0},
    {release, 0, 0, 4, 0},
    {release, 0, 0, 5, 0},
    {release, 0, 0, 7, 0},
    {release, 0, 0, 8, 0},
};

} // namespace

TEST_F(Recording, HoldsExactlyWhatTheProgramDid) {
    ASSERT_EQ(record("exact"), 0);
    Decoded const decoded = decode_sound(trace());
    EXPECT_EQ(marked(decoded.events), exact_events);
    EXPECT_EQ(decoded.counts.failed, 1U);
    EXPECT_EQ(decoded.counts.foreign, 0U);
    EXPECT_EQ(decoded.command, std::string(SUBJECT) + '\0' + "exact" + '\0');
    EXPECT_TRUE(others().empty());
}

TEST_F(Recording, TwoRunsRecordTheSame) {
    ASSERT_EQ(record("exact"), 0);
    std::vector<Event> const first = decode_sound(trace()).events;
    ASSERT_EQ(record("exact"), 0); // over the file that is there
    EXPECT_EQ(decode_sound(trace()).events, first);
}

TEST_F(Recording, OrdersTheEventsOfThreads) {
    ASSERT_EQ(record("threads"), 0);
    Decoded const decoded = decode_sound(trace());
    std::map<u64, u64> allocated_by; // object -> thread
    std::map<u64, u64> freed_elsewhere;
    u64 resizes = 0;
    for (Event const& event : decoded.events) {
        if (event.kind == allocate && event.size >= 1000 && event.size < 1004) {
            allocated_by[event.object] = event.thread;
        }
        resizes += event.kind == resize && event.size >= 2000 && event.size < 2004 ? 1 : 0;
        if (event.kind == release && allocated_by.contains(event.object)) {
            freed_elsewhere[event.object] = event.thread != allocated_by[event.object];
        }
    }
    EXPECT_EQ(allocated_by.size(), 8000U);
    EXPECT_EQ(freed_elsewhere.size(), 8000U);
    EXPECT_TRUE(std::ranges::all_of(freed_elsewhere, [](auto const& one) { return one.second; }));
    EXPECT_EQ(resizes, 4000U);
    EXPECT_EQ(decoded.counts.threads, 5U);
    EXPECT_EQ(decoded.counts.foreign, 0U);
}

TEST_F(Recording, AChildLeavesItsParentsTraceAlone) {
    for (char const* const mode : {"fork", "clone", "spawn"}) {
        ASSERT_EQ(record(mode), 0) << mode;
        Decoded const decoded = decode_sound(trace());
        EXPECT_EQ(count_size(decoded, 777), 1) << mode;
        EXPECT_EQ(count_size(decoded, 888), 0) << mode;
        EXPECT_EQ(count_size(decoded, 999), 1) << mode;
        EXPECT_TRUE(others().empty()) << mode;
    }
}

TEST_F(Recording, AChildIsRecordedToAFileOfItsOwnIfAsked) {
    ASSERT_EQ(record("fork", {"--children"}), 0);
    EXPECT_EQ(count_size(decode_sound(trace()), 888), 0);
    ASSERT_EQ(others().size(), 1U);
    Decoded const child = decode_sound(others()[0]);
    EXPECT_EQ(count_size(child, 777), 1); // inherited, and so alive from its first event on
    EXPECT_EQ(count_size(child, 888), 1);
    EXPECT_EQ(count_size(child, 999), 0);
    EXPECT_EQ(child.counts.foreign, 0U);
}

TEST_F(Recording, SpawnedProgramsAreRecordedIfAsked) {
    ASSERT_EQ(record("spawn", {"--children"}), 0);
    EXPECT_EQ(count_size(decode_sound(trace()), 999), 1);
    ASSERT_EQ(others().size(), 2U);
    for (fs::path const& other : others()) {
        EXPECT_EQ(marked(decode_sound(other).events), exact_events);
    }
}

TEST_F(Recording, IsCompleteWhenTheProgramBecomesAnother) {
    ASSERT_EQ(record("exec"), 0);
    Decoded decoded = decode_sound(trace());
    EXPECT_EQ(count_size(decoded, 777), 1);
    EXPECT_EQ(count_size(decoded, 999), 1); // after the exec that failed
    EXPECT_EQ(count_size(decoded, begin_marker), 0);
    EXPECT_TRUE(others().empty());
    ASSERT_EQ(record("exec", {"--children"}), 0);
    ASSERT_EQ(others().size(), 1U);
    EXPECT_EQ(marked(decode_sound(others()[0]).events), exact_events);
}

TEST_F(Recording, IsCompleteWhenTheProgramLeavesAtOnce) {
    ASSERT_EQ(record("leave"), 0);
    EXPECT_EQ(count_size(decode_sound(trace()), 777), 1);
}

TEST_F(Recording, SaysThatAKilledProgramDidNotFinish) {
    int const status = record("die");
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    Decoded const decoded = decode(read(trace()));
    EXPECT_FALSE(decoded.good);
    EXPECT_EQ(
        decoded.problem.what,
        "was not finished: the recorded program is running or was ended by a signal");
}

} // namespace twofold::allocation::testing
